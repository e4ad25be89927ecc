#include "session/costs.h"

#include <algorithm>
#include <utility>

#include "kernels/ranks/row_split.h"
#include "ranks/counted_ranks.h"

namespace unmask {

namespace {

void add(const WorkCount& work, WorkCount& sum) {
  sum.product_operations += work.product_operations;
  sum.attention_operations += work.attention_operations;
  sum.weight_bytes += work.weight_bytes;
  sum.kv_bytes += work.kv_bytes;
  sum.result_bytes += work.result_bytes;
  sum.largest_results = std::max(sum.largest_results, work.largest_results);
  sum.exchanges += work.exchanges;
  sum.pairs += work.pairs;
  sum.all_pairs += work.all_pairs;
  sum.queries += work.queries;
  sum.measurements += work.measurements;
}

/// Of the matrices that products read, as WeightType::stored keeps them.
double stored_bytes_per_weight(const TensorDirectory& checkpoint, const ModelConfig& config) {
  double bits = 0;
  double weights = 0;
  for (const TensorSpec& spec : tensor_specs(config)) {
    const bool table = spec.role == TensorRole::embedding && !config.tied_head;
    if (spec.shape.size() != 2 || table) continue;
    const HostMatrix matrix = host_matrix(checkpoint.at(spec.name));
    const double count = static_cast<double>(matrix.out) * matrix.in;
    bits += count * stored_bits(matrix);
    weights += count;
  }
  return bits / weights / 8;
}

ElementSizes sizes_of(DeviceKind device, WeightType weights, double bytes_per_weight) {
  ElementSizes sizes{.bytes_per_weight = bytes_per_weight};
  if (device == DeviceKind::cuda) {
    sizes.activations = kCudaActivations;
    sizes.tile_rows = kCudaTileRows;
    sizes.keeps_embeddings = true;
  } else {
    const CpuCapabilities kernels = cpu_capabilities(CpuOptions{}.kernels);
    sizes.weights = weights;
    sizes.bf16_inputs = kernels.bf16_inputs;
    sizes.packed_kv = keys_of_attention(weights, CpuOptions{}.kernels);
  }
  return sizes;
}

}  // namespace

ElementSizes element_sizes(DeviceKind device, WeightType weights) {
  return sizes_of(device, weights, bits_per_weight(weights) / 8);
}

ElementSizes element_sizes(DeviceKind device, WeightType weights, const TensorDirectory& checkpoint,
                           const ModelConfig& config) {
  if (weights != WeightType::stored) return element_sizes(device, weights);
  return sizes_of(device, weights, stored_bytes_per_weight(checkpoint, config));
}

double roofline_seconds(const WorkCount& work, const Rates& rates) {
  return std::max(work.product_operations / rates.products, work.weight_bytes / rates.read) +
         work.attention_operations / rates.attention;
}

Explanation Costs::explain(const Request& request) const { return explain(request, nullptr); }

Explanation Costs::explain_rows(const Request& request, int ranks) const {
  CountedRanks counted(ranks - 1, ranks);
  return explain(request, &counted);
}

Explanation Costs::explain(const Request& request, Communicator* ranks) const {
  ElementSizes sizes = sizes_;
  sizes.ranks = ranks_;
  auto counting = create_counting_backend(sizes);
  CountingBackend& count = *counting;
  std::unique_ptr<Backend> backend = std::move(counting);
  if (ranks != nullptr)
    backend = create_row_split(std::move(backend), *ranks,
                               {.keys = sizes_.packed_kv.value_or(DType::f32), .plans = true});
  const Weights weights = shape_weights(config_, *backend);
  Transformer model(config_, weights, *backend);
  Request worst = request;
  worst.early_stop = false;
  worst.observe = {};  // there is nothing to see
  worst.eos_ids.clear();
  if (worst.growth) {  // at its largest from the beginning
    worst.tokens.insert(worst.tokens.begin() + worst.prompt_length,
                        static_cast<size_t>(worst.growth->most_tokens) - worst.tokens.size(),
                        config_.mask_id);
    worst.growth.reset();
    worst.block_length = worst.gen_length();
  }
  Explanation result;
  Range block;
  int in_block = 0;
  auto canvas = static_cast<int>(worst.tokens.size());
  const auto received = [&] {
    const Traffic all = ranks == nullptr ? Traffic{} : ranks->traffic();
    const Traffic known = std::exchange(result.received, all);
    return Traffic{all.gathers - known.gathers, all.bytes - known.bytes};
  };
  generate(model, std::span(&worst, 1), [&](const StepEvent& event) {
    in_block = event.block == block ? in_block + 1 : 0;
    block = event.block;
    result.steps.push_back({event.step, in_block, event.rows, canvas, count.take(), received()});
    canvas = static_cast<int>(event.tokens.size());
    return true;
  });
  for (const PlannedStep& step : result.steps) {
    add(step.work, result.total);
    result.rows += step.rows;
  }
  result.weight_bytes = count.weight_bytes();
  result.request_bytes = count.peak_bytes() - count.weight_bytes();
  if (ranks_ > 1) result.request_bytes += result.gather_bytes(ranks_);
  return result;
}

int64_t Costs::request_bytes(const Request& request) const {
  return static_cast<int64_t>(explain(request).request_bytes);
}

int64_t Costs::canvas_bytes(int tokens) const {
  Request all = append_masks({}, tokens, config_.mask_id);
  all.steps = 1;
  return request_bytes(all);
}

int64_t Costs::weight_bytes() const {
  const auto backend = create_counting_backend(sizes_);
  const Weights weights = shape_weights(config_, *backend);
  return static_cast<int64_t>(backend->weight_bytes());
}

int64_t Costs::kv_bytes_per_token() const {
  const int64_t width = int64_t{config_.n_kv_heads} * config_.head_dim;
  return 2 * width * config_.n_layers * static_cast<int64_t>(dtype_bytes(sizes_.activations));
}

}  // namespace unmask
