#include "methods/tail_cache.h"

namespace unmask {

Attention attend_with_fresh_tail(AttendScope& scope) {
  const Rows tail(Range{scope.store.slots() - scope.k.rows, scope.store.slots()});
  return {scope.store.put(scope.backend, tail, scope.k, scope.v)};
}

}  // namespace unmask
