#include "methods/position_cache.h"

namespace unmask {

Attention PositionCache::attend(AttendScope& scope) {
  if (scope.store.slots() != scope.step.length()) {
    UNMASK_CHECK(scope.k.rows == scope.step.length(), "the first pass of a cache covers all rows");
    scope.store.resize(scope.backend, scope.step.length(), scope.k.cols);
  }
  const Rows slots(std::vector<int>(scope.positions.begin(), scope.positions.end()));
  return {scope.store.put(scope.backend, slots, scope.k, scope.v)};
}

}  // namespace unmask
