#include "methods/carried_slots.h"

#include <algorithm>
#include <utility>

#include "methods/tail_cache.h"

namespace unmask {

void CarriedSlots::begin(AttendScope& scope, const std::function<bool(int position)>& stays) {
  const std::span<const int> fresh = scope.positions;
  if (positions_.empty()) {
    scope.store.reset(scope.backend, scope.k.rows, scope.k.cols);
    positions_ = {{fresh.begin(), fresh.end()}};
    return;
  }
  std::vector<Rows> lists;
  for (std::vector<int>& positions : positions_) {
    std::vector<int> slots;
    std::vector<int> carried;
    for (size_t slot = 0; slot < positions.size(); ++slot) {
      const int p = positions[slot];
      if (!stays(p) || std::ranges::binary_search(fresh, p)) continue;
      slots.push_back(static_cast<int>(slot));
      carried.push_back(p);
    }
    lists.emplace_back(std::move(slots));
    carried.insert(carried.end(), fresh.begin(), fresh.end());
    positions = std::move(carried);
  }
  replace(scope, lists, scope.k.rows);
}

KvStore CarriedSlots::keep(AttendScope& scope, const std::vector<Rows>& positions) {
  std::vector<Rows> lists;
  std::vector<int> slot_of(static_cast<size_t>(scope.step.length()), -1);
  std::vector<std::vector<int>> kept;
  for (size_t h = 0; h < positions.size(); ++h) {
    const std::vector<int>& held = this->positions(static_cast<int>(h));
    for (size_t slot = 0; slot < held.size(); ++slot) {
      slot_of[static_cast<size_t>(held[slot])] = static_cast<int>(slot);
    }
    std::vector<int> slots;
    for (const int p : positions[h]) slots.push_back(slot_of[static_cast<size_t>(p)]);
    lists.emplace_back(std::move(slots));
    kept.emplace_back(positions[h].begin(), positions[h].end());
  }
  positions_ = std::move(kept);
  return replace(scope, lists, 0);
}

KvStore CarriedSlots::replace(AttendScope& scope, const std::vector<Rows>& lists, int tail) {
  KvStore old = std::exchange(scope.store, KvStore());
  keep_slots(scope.backend, old.view(), lists, tail, scope.store);
  return old;
}

}  // namespace unmask
