#include "methods/sparse_dllm.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/random.h"
#include "methods/selection.h"

namespace unmask {

namespace {

/// Keeps these random numbers apart from the samplers', which have the same seed.
constexpr uint32_t kKeepStream = 0xA0000000U;

}  // namespace

std::vector<float> position_scores(const AttendScope& scope, Tensor q, Tensor keys,
                                   const SparseDllmOptions& options) {
  std::vector<float> all(static_cast<size_t>(keys.rows));
  if (options.random) {
    const Philox draw(options.seed);
    for (size_t p = 0; p < all.size(); ++p) {
      const auto drawn = draw(static_cast<uint32_t>(scope.layer), static_cast<uint32_t>(p),
                              static_cast<uint32_t>(scope.step.index), kKeepStream);
      all[p] = static_cast<float>(open_unit(drawn[0], drawn[1]));
    }
  } else {
    scope.backend.mean_query_scores(q, keys, scope.shape, all);
  }
  return all;
}

std::vector<Rows> SparseDllm::select(const AttendScope& scope, const PresentKeys& present) const {
  const Range block = scope.step.block;
  const std::vector<float> all =
      position_scores(scope, scope.q.slice(present.block), present.k, options_);
  // The gap that the block leaves is closed: the pooling sees its two neighbours side by side.
  const std::vector<int>& positions = present.positions[0];
  const int end = options_.prefix_only ? block.begin : scope.step.length();
  std::vector<std::pair<int, float>> outside;  // position and score
  for (size_t slot = 0; slot < positions.size(); ++slot) {
    const int p = positions[slot];
    if (p < end && !block.contains(p)) outside.emplace_back(p, all[slot]);
  }
  // Of all positions, those that an earlier block evicted included.
  const int whole = end - (end > block.begin ? block.size() : 0);
  const int keep = static_cast<int>(static_cast<double>(whole) * options_.keep);
  const Rows best = best_positions(std::move(outside), options_.kernel, keep);
  std::vector<int> kept(best.begin(), best.end());
  for (const int p : positions) {
    if (options_.prefix_only && p >= block.end) kept.push_back(p);
  }
  std::ranges::sort(kept);
  return {Rows(std::move(kept))};
}

SparseDllmOptions read_sparse_dllm(Options& options, const MethodContext& context) {
  constexpr int kMax = std::numeric_limits<int>::max();
  const SparseDllmOptions defaults;
  SparseDllmOptions o{.keep = options.number("keep", defaults.keep, 0, 1),
                      .kernel = options.count("kernel", defaults.kernel, 1, kMax),
                      .random = options.choice("score", {"query", "random"}) == "random",
                      .seed = context.seed,
                      .prefix_only = options.flag("prefix_only", defaults.prefix_only),
                      .steps = read_eviction_steps(options, context)};
  if (o.kernel % 2 == 0) {
    fail("[method] sparse-dllm: option 'kernel': found {}, expected an odd number", o.kernel);
  }
  return o;
}

std::unique_ptr<Method> create_sparse_dllm(Options& options, const MethodContext& context) {
  return std::make_unique<SparseDllm>(read_sparse_dllm(options, context));
}

}  // namespace unmask
