#include "methods/sparse_dllm.h"

#include <limits>

#include "core/random.h"
#include "methods/selection.h"
#include "methods/tail_cache.h"

namespace unmask {

SparseDllm::SparseDllm(const SparseDllmOptions& options) : options_(options) {
  if (options.kernel % 2 == 0) {
    fail("[method] sparse-dllm: option 'kernel': found {}, expected an odd number", options.kernel);
  }
}

StepPlan SparseDllm::plan_step(const Step& step) {
  const bool alone = options_.first_alone && step.in_block == 0;
  return {.rows = Rows(step.in_block <= options_.delay ? step.all() : step.block),
          .commit = alone ? Range{step.block.begin, step.block.begin + 1} : Range{},
          .measures = step.in_block == options_.delay};
}

Attention SparseDllm::attend(AttendScope& scope) {
  // The pass that builds the cache still attends to everything.
  if (scope.step.in_block == options_.delay) build(scope);
  if (scope.step.in_block <= options_.delay) return {{scope.k, scope.v}};
  // The survivors come first, the block's own rows live behind them.
  return attend_with_fresh_tail(scope);
}

void SparseDllm::build(AttendScope& scope) {
  if (scope.layer >= static_cast<int>(kept_.size())) kept_.resize(kept_.size() + 1);
  Rows& kept = kept_[static_cast<size_t>(scope.layer)];
  kept = select(scope);
  // Evicting layer by layer means that no more than the survivors ever stays in memory.
  scope.store.resize(scope.backend, kept.size() + scope.step.block.size(), scope.k.cols);
  const Range survivors{0, kept.size()};
  scope.backend.gather(scope.k, kept, scope.store.keys().slice(survivors));
  scope.backend.gather(scope.v, kept, scope.store.values().slice(survivors));
}

std::vector<float> SparseDllm::scores(const AttendScope& scope) const {
  std::vector<float> all(static_cast<size_t>(scope.k.rows));
  if (options_.random) {
    const Philox lot(static_cast<uint64_t>(scope.layer));
    for (size_t p = 0; p < all.size(); ++p) {
      const auto drawn = lot(static_cast<uint32_t>(p), static_cast<uint32_t>(scope.step.index));
      all[p] = static_cast<float>(open_unit(drawn[0], drawn[1]));
    }
  } else {
    scope.backend.mean_query_scores(scope.q.slice(scope.step.block), scope.k, scope.shape, all);
  }
  return all;
}

std::vector<int> SparseDllm::slot_positions(const AttendScope& scope, int /*kv_head*/) const {
  // What the previous block left is not read again.
  if (scope.step.in_block < options_.delay) return {};
  const Rows& survivors = kept(scope.layer);
  std::vector<int> positions(survivors.begin(), survivors.end());
  const Rows block(scope.step.block);
  positions.insert(positions.end(), block.begin(), block.end());
  return positions;
}

Rows SparseDllm::select(const AttendScope& scope) const {
  const Range block = scope.step.block;
  const std::vector<float> all = scores(scope);
  // The gap that the block leaves is closed: the pooling sees its two neighbours side by side.
  std::vector<int> outside;
  std::vector<float> candidates;
  for (int p = 0; p < (options_.prefix_only ? block.begin : scope.step.length()); ++p) {
    if (block.contains(p)) continue;
    outside.push_back(p);
    candidates.push_back(all[static_cast<size_t>(p)]);
  }
  const int keep = static_cast<int>(static_cast<double>(candidates.size()) * options_.keep);
  std::vector<int> kept;
  for (const int i : largest(max_pool(candidates, options_.kernel), keep)) {
    kept.push_back(outside[static_cast<size_t>(i)]);
  }
  if (options_.prefix_only) {
    for (int p = block.end; p < scope.step.length(); ++p) kept.push_back(p);
  }
  return Rows(std::move(kept));
}

std::unique_ptr<Method> create_sparse_dllm(Options& options, const MethodContext& context) {
  constexpr int kMax = std::numeric_limits<int>::max();
  const SparseDllmOptions defaults;
  return std::make_unique<SparseDllm>(
      SparseDllmOptions{.keep = options.number("keep", defaults.keep, 0, 1),
                        .kernel = options.count("kernel", defaults.kernel, 1, kMax),
                        .delay = options.count("delay", defaults.delay, 0, kMax),
                        .random = options.choice("score", {"query", "random"}) == "random",
                        .prefix_only = options.flag("prefix_only", defaults.prefix_only),
                        .first_alone = context.config.logit_shift > 0});
}

}  // namespace unmask
