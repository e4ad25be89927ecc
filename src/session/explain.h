// What a request costs, step by step, without computing it.
#pragma once

#include <vector>

#include "generate/engine.h"
#include "kernels/counting/backend.h"

namespace unmask {

struct PlannedStep {
  int index = 0;
  int in_block = 0;
  int rows = 0;  // of all passes of the step
  WorkCount work;

  /// Keys that a query sees, and their share of the keys at hand; means over layers and heads.
  double keys_per_query() const { return work.queries > 0 ? work.pairs / work.queries : 0; }
  double density() const { return work.all_pairs > 0 ? work.pairs / work.all_pairs : 0; }
};

struct Explanation {
  std::vector<PlannedStep> steps;
  WorkCount total;
  int64_t rows = 0;
  size_t peak_bytes = 0;  // of weights, activations and caches
};

/// Plans every step of `request` with a backend that counts. What depends on the model's answers is
/// taken at its worst: no early stop, no commit beyond the one token that a step decides at least;
/// importance counts as evenly spread, which is the densest that `coverage` can become.
/// Throws Error as check_request.
Explanation explain(const ModelConfig& config, const Request& request, const ElementSizes& sizes);

}  // namespace unmask
