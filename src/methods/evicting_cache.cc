#include "methods/evicting_cache.h"

#include <limits>

#include "methods/tail_cache.h"

namespace unmask {

EvictionSteps read_eviction_steps(Options& options, const MethodContext& context) {
  constexpr int kMax = std::numeric_limits<int>::max();
  return {.delay = options.count("delay", EvictionSteps().delay, 0, kMax),
          .first_alone = context.config.logit_shift > 0};
}

StepPlan EvictingCache::plan_step(const Step& step) {
  const bool alone = steps_.first_alone && step.in_block == 0;
  return {.rows = Rows(step.in_block <= steps_.delay ? step.all() : step.block),
          .decides = alone ? Range{step.block.begin, step.block.begin + 1} : Range{},
          .all_queries = step.in_block == steps_.delay,
          .steady = step.in_block > steps_.delay};
}

Attention EvictingCache::attend(AttendScope& scope) {
  // The pass that builds the cache still attends to everything.
  if (scope.step.in_block == steps_.delay) build(scope);
  if (scope.step.in_block <= steps_.delay) return {{scope.k, scope.v}};
  // The survivors come first, the block's own rows live behind them.
  return attend_with_fresh_tail(scope);
}

void EvictingCache::build(AttendScope& scope) {
  if (scope.layer >= static_cast<int>(kept_.size())) kept_.resize(kept_.size() + 1);
  std::vector<Rows>& lists = kept_[static_cast<size_t>(scope.layer)];
  lists = select(scope);
  // Evicting layer by layer means that no more than the survivors ever stays in memory.
  keep_slots(scope.backend, {scope.k, scope.v}, lists, scope.step.block.size(), scope.store);
}

const Rows& EvictingCache::kept(int layer, int kv_head) const {
  const std::vector<Rows>& lists = kept_[static_cast<size_t>(layer)];
  return lists.size() == 1 ? lists[0] : lists[static_cast<size_t>(kv_head)];
}

std::vector<int> EvictingCache::slot_positions(const AttendScope& scope, int kv_head) const {
  // What the previous block left is not read again.
  if (scope.step.in_block < steps_.delay) return {};
  const Rows& survivors = kept(scope.layer, kv_head);
  std::vector<int> positions(survivors.begin(), survivors.end());
  const Rows block(scope.step.block);
  positions.insert(positions.end(), block.begin(), block.end());
  return positions;
}

}  // namespace unmask
