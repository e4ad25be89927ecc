// A model that several ranks load together: all have it, or none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "ranks/communicator.h"

namespace unmask {

/// What goes wrong on another rank, or what ranks do not have in common.
class RankError : public Error {
 public:
  using Error::Error;
};

/// What must be the same on all ranks, by name.
using RankFacts = std::vector<std::pair<std::string, std::string>>;

/// What ranks share out: of every matrix the outputs, so that each holds a part of the weights, or
/// the rows of a pass, with all weights on every rank.
enum class RankSplit : uint8_t { columns, rows };

std::string_view rank_split_name(RankSplit split);
/// Throws Error for another name than "columns" and "rows".
RankSplit parse_rank_split(std::string_view name);

struct JointOptions {
  RankSplit split = RankSplit::columns;
  bool verifies = false;  // see LeadOptions
};

/// Lives while this rank opens and loads its model; rank 0's tells the others to begin with theirs.
/// When it ends early, because something was thrown here, the others get a RankError.
class JointLoading {
 public:
  /// `facts`: of the programs; the model adds its own. `ranks` outlives the model.
  JointLoading(Communicator& ranks, RankFacts facts, const JointOptions& options);
  ~JointLoading();
  JointLoading(const JointLoading&) = delete;
  JointLoading& operator=(const JointLoading&) = delete;

  Communicator& ranks() const { return ranks_; }
  const JointOptions& options() const { return options_; }

  /// Before the weights: throws RankError with both values where a rank has other facts.
  void agree(RankFacts model);
  /// After them.
  void finish();

 private:
  enum class State { opening, loading, over };
  void exchange(State next, bool failed, const RankFacts& facts);

  Communicator& ranks_;
  RankFacts facts_;
  JointOptions options_;
  State state_ = State::opening;
};

/// Another rank than 0 waits for the next model to load; false when there is none any more.
bool wait_for_loading(Communicator& ranks);
/// Rank 0 tells the others that there is none.
void end_loading(Communicator& ranks);

}  // namespace unmask
