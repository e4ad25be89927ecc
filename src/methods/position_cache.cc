#include "methods/position_cache.h"

#include <algorithm>
#include <numeric>

namespace unmask {

Attention PositionCache::attend(AttendScope& scope) {
  const int known = scope.store.slots();
  const std::vector<int> slots(scope.positions.begin(), scope.positions.end());
  const auto first_new = std::lower_bound(slots.begin(), slots.end(), known);
  if (first_new != slots.end()) {
    UNMASK_CHECK(slots.back() + 1 - known == slots.end() - first_new,
                 "a cache by position grows without gaps");
    scope.store.grow(scope.backend, slots.back() + 1, scope.k.cols);
  }
  return {scope.store.put(scope.backend, Rows(slots), scope.k, scope.v)};
}

std::vector<int> PositionCache::slot_positions(const AttendScope& scope, int /*kv_head*/) const {
  std::vector<int> positions(static_cast<size_t>(scope.store.slots()));
  std::iota(positions.begin(), positions.end(), 0);
  return positions;
}

}  // namespace unmask
