// What a request costs in memory and work, step by step, without computing it. Everything that
// plans, warns or admits asks here.
#pragma once

#include <vector>

#include "generate/engine.h"
#include "kernels/counting/backend.h"
#include "ranks/communicator.h"
#include "session/device.h"

namespace unmask {

/// What the memory of a device holds when its weights have this type.
ElementSizes element_sizes(DeviceKind device, WeightType weights);
/// The same of the weights of a checkpoint, where `stored` has the mean of its matrices.
ElementSizes element_sizes(DeviceKind device, WeightType weights, const TensorDirectory& checkpoint,
                           const ModelConfig& config);

struct PlannedStep {
  int index = 0;
  int in_block = 0;
  int rows = 0;    // of all passes of the step
  int canvas = 0;  // positions, before the step
  WorkCount work;
  Traffic received{};  // from other ranks, where rows are split

  /// Keys that a query sees, and their share of the keys at hand; means over layers and heads.
  double keys_per_query() const { return work.queries > 0 ? work.pairs / work.queries : 0; }
  double density() const { return work.all_pairs > 0 ? work.pairs / work.all_pairs : 0; }
};

struct Explanation {
  std::vector<PlannedStep> steps;
  WorkCount total;
  Traffic received{};
  int64_t rows = 0;
  size_t weight_bytes = 0;
  size_t request_bytes = 0;  // at most: caches, activations and logits of this request alone

  size_t peak_bytes() const { return weight_bytes + request_bytes; }
  /// What a rank that splits columns takes to complete results: what it gives, and a copy of all.
  size_t gather_bytes(int ranks) const {
    return static_cast<size_t>(total.largest_results * (1 + 1.0 / ranks));
  }
};

/// The rates of a machine: operations per second, a multiply-add counting as two, and bytes per
/// second from memory.
struct Rates {
  double products = 0;
  double attention = 0;
  double read = 0;
};

/// Seconds of some work at these rates: products take as long as their operations or their weights,
/// whichever is longer; attention comes on top (roofline).
double roofline_seconds(const WorkCount& work, const Rates& rates);

/// The costs of one model with one type of weights on one device: the engine's own loop on a
/// backend that counts, so that no second description of the model can drift from the first.
class Costs {
 public:
  /// `ranks`: that share the weights by their columns; a request then takes gather_bytes(), too,
  /// and what they exchange is counted.
  Costs(const ModelConfig& config, const ElementSizes& sizes, int ranks = 1)
      : config_(config), sizes_(sizes), ranks_(ranks) {}

  const ModelConfig& config() const { return config_; }
  /// The same on so many ranks.
  Costs on_ranks(int ranks) const { return {config_, sizes_, ranks}; }
  /// Plans every step of `request`. What depends on the model's answers is taken at its worst: no
  /// early stop, no decision beyond the one token that a step decides at least; importance counts
  /// as evenly spread, which is the densest that `coverage` can become, and lists of keys are drawn
  /// at random. Throws Error as check_request.
  Explanation explain(const Request& request) const;
  /// The same of the last of `ranks` ranks that split rows: it has the open positions.
  Explanation explain_rows(const Request& request, int ranks) const;
  /// Explanation::request_bytes; what Engine admits by.
  int64_t request_bytes(const Request& request) const;
  /// The same of a canvas of `tokens` positions that go through the network at once, all masked.
  int64_t canvas_bytes(int tokens) const;
  /// Packed weights; the embedding is read in place from its file unless the device keeps it.
  int64_t weight_bytes() const;
  /// Bytes of keys and values of one token in all layers, for methods that keep them; the rows
  /// alone, without what attention packs of them.
  int64_t kv_bytes_per_token() const;

 private:
  /// `ranks`: of which one that splits rows is planned; null: no rows are split.
  Explanation explain(const Request& request, Communicator* ranks) const;

  ModelConfig config_;
  ElementSizes sizes_;
  int ranks_;
};

}  // namespace unmask
