#include "methods/tail_cache.h"

namespace unmask {

Attention attend_with_fresh_tail(AttendScope& scope) {
  const Rows tail(Range{scope.store.slots() - scope.k.rows, scope.store.slots()});
  scope.backend.scatter(scope.k, tail, scope.store.keys());
  scope.backend.scatter(scope.v, tail, scope.store.values());
  return {scope.store.view()};
}

}  // namespace unmask
