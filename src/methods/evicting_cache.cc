#include "methods/evicting_cache.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "methods/tail_cache.h"

namespace unmask {

namespace {

std::vector<int> with_block(const Rows& outside, Range block) {
  std::vector<int> positions(outside.begin(), outside.end());
  const Rows inside(block);
  positions.insert(positions.end(), inside.begin(), inside.end());
  return positions;
}

}  // namespace

EvictionSteps read_eviction_steps(Options& options, const MethodContext& context) {
  constexpr int kMax = std::numeric_limits<int>::max();
  return {.delay = options.count("delay", EvictionSteps().delay, 0, kMax),
          .first_alone = context.config.logit_shift > 0,
          .refresh = read_refresh(options)};
}

StepPlan EvictingCache::plan_step(const Step& step) {
  attended_ = {};
  const bool alone = steps_.first_alone && step.in_block == 0;
  StepPlan plan{.rows = step.in_block <= steps_.delay ? refresh_.of(step) : Rows(step.block),
                .decides = alone ? Range{step.block.begin, step.block.begin + 1} : Range{},
                .queries = step.in_block == steps_.delay ? step.block : Range{},
                .steady = step.in_block > steps_.delay,
                .drafts = step.in_block > steps_.delay};
  refresh_.computed(step, plan);
  return plan;
}

Attention EvictingCache::attend(AttendScope& scope) {
  if (!steps_.refresh.everything()) return attend_carried(scope);
  // The pass that builds the cache still attends to everything.
  if (scope.step.in_block == steps_.delay) build(scope);
  if (scope.step.in_block <= steps_.delay) return {{scope.k, scope.v}};
  // The survivors come first, the block's own rows live behind them.
  return attend_with_fresh_tail(scope);
}

Range EvictingCache::block_rows(const AttendScope& scope) const {
  const Range block = scope.step.block;
  const auto first = std::ranges::lower_bound(scope.query_positions, block.begin);
  const auto begin = static_cast<int>(first - scope.query_positions.begin());
  return {begin, begin + block.size()};
}

void EvictingCache::build(AttendScope& scope) {
  if (scope.layer >= static_cast<int>(kept_.size())) kept_.resize(kept_.size() + 1);
  std::vector<Rows>& lists = kept_[static_cast<size_t>(scope.layer)];
  lists = select(scope,
                 {scope.k, {{scope.positions.begin(), scope.positions.end()}}, block_rows(scope)});
  // Evicting layer by layer means that no more than the survivors ever stays in memory.
  keep_slots(scope.backend, {scope.k, scope.v}, lists, scope.step.block.size(), scope.store);
}

Attention EvictingCache::attend_carried(AttendScope& scope) {
  if (scope.layer >= static_cast<int>(carried_.size())) carried_.resize(carried_.size() + 1);
  CarriedSlots& slots = carried_[static_cast<size_t>(scope.layer)];
  if (scope.step.in_block == 0) slots.begin(scope, [](int) { return true; });
  const Attention attention = attend_with_fresh_tail(scope);
  if (scope.step.in_block != steps_.delay) return attention;
  if (scope.layer >= static_cast<int>(kept_.size())) kept_.resize(kept_.size() + 1);
  std::vector<Rows>& lists = kept_[static_cast<size_t>(scope.layer)];
  lists = select(scope, {attention.kv.k, slots.positions(), block_rows(scope)});
  // The block's own rows stay, too: the next block may begin before they are computed again.
  std::vector<Rows> stay;
  stay.reserve(lists.size());
  for (const Rows& list : lists) stay.emplace_back(with_block(list, scope.step.block));
  attended_ = slots.keep(scope, stay);
  return {attended_.view()};
}

const Rows& EvictingCache::kept(int layer, int kv_head) const {
  const std::vector<Rows>& lists = kept_[static_cast<size_t>(layer)];
  return lists.size() == 1 ? lists[0] : lists[static_cast<size_t>(kv_head)];
}

std::vector<int> EvictingCache::slot_positions(const AttendScope& scope, int kv_head) const {
  if (!steps_.refresh.everything()) {
    return carried_[static_cast<size_t>(scope.layer)].positions(kv_head);
  }
  // What the previous block left is not read again.
  if (scope.step.in_block < steps_.delay) return {};
  return with_block(kept(scope.layer, kv_head), scope.step.block);
}

}  // namespace unmask
