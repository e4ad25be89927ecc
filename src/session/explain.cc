#include "session/explain.h"

#include <algorithm>

namespace unmask {

namespace {

void add(const WorkCount& work, WorkCount& sum) {
  sum.product_operations += work.product_operations;
  sum.attention_operations += work.attention_operations;
  sum.weight_bytes += work.weight_bytes;
  sum.kv_bytes += work.kv_bytes;
  sum.pairs += work.pairs;
  sum.all_pairs += work.all_pairs;
  sum.queries += work.queries;
  sum.measurements += work.measurements;
}

}  // namespace

Explanation explain(const ModelConfig& config, const Request& request, const ElementSizes& sizes) {
  const auto backend = create_counting_backend(sizes);
  const Weights weights = shape_weights(config, *backend);
  Transformer model(config, weights, *backend);
  Request worst = request;
  worst.early_stop = false;
  worst.eos_ids.clear();
  Explanation result;
  Range block;
  int in_block = 0;
  generate(model, std::span(&worst, 1), [&](const StepEvent& event) {
    in_block = event.block == block ? in_block + 1 : 0;
    block = event.block;
    result.steps.push_back({event.step, in_block, event.rows, backend->take()});
    return true;
  });
  for (const PlannedStep& step : result.steps) {
    add(step.work, result.total);
    result.rows += step.rows;
  }
  result.peak_bytes = backend->peak_bytes();
  return result;
}

}  // namespace unmask
