// What several equal machines would make of a model: the ways to share the work, and what each
// costs in memory, bytes and time.
#pragma once

#include <array>
#include <string_view>

#include "session/costs.h"

namespace unmask {

/// Shares of the prompts, of the rows of a pass, or of the columns of the weights.
enum class Sharing : uint8_t { prompts, rows, columns };

std::string_view sharing_name(Sharing sharing);

struct Cluster {
  int ranks = 2;
  Rates rates{};       // of one machine
  double network = 0;  // bytes per second that a machine receives
  double latency = 0;  // seconds that a message takes however short it is
};

/// One pass, on the rank that has most to do.
struct SharedPass {
  int rows = 0;
  int64_t received = 0;  // bytes, from other ranks
  int64_t gathers = 0;
  double computing = 0;  // seconds at the rates
  double waiting = 0;    // seconds for the network while nothing is computed

  double seconds() const { return computing + waiting; }
};

struct SharedWork {
  Sharing sharing = Sharing::prompts;
  int64_t memory = 0;        // bytes of one rank, for weights, activations and caches
  SharedPass full{};         // all positions
  SharedPass cached{};       // those of a block, on a cache
  double block_seconds = 0;  // until a block of one prompt is done: a full pass, then cached ones
};

struct ClusterPlan {
  int context = 0;  // positions
  std::array<SharedWork, 3> ways{};

  /// The ways whose memory is at most `memory` bytes, as the best one for many prompts and for a
  /// prompt alone; null: there is none. Of equal ways the one with the least traffic.
  const SharedWork* for_many_prompts(int64_t memory) const;
  const SharedWork* for_one_prompt(int64_t memory) const;
};

/// A request whose first step is a full pass and whose later ones are cached: `context` positions
/// of which the last block is open, a token a step. Throws Error for less than two blocks.
Request block_request(const ModelConfig& config, int context);

/// `request` as block_request() makes it.
ClusterPlan plan_cluster(const Costs& costs, const Request& request, const Cluster& cluster);

}  // namespace unmask
