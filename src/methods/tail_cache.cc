#include "methods/tail_cache.h"

namespace unmask {

Attention attend_with_fresh_tail(AttendScope& scope) {
  const Rows tail(Range{scope.store.slots() - scope.k.rows, scope.store.slots()});
  return {scope.store.put(scope.backend, tail, scope.k, scope.v)};
}

void keep_slots(Backend& backend, const KvView& from, const std::vector<Rows>& lists, int tail,
                KvStore& store) {
  const Range kept{0, lists[0].size()};
  store.reset(backend, kept.size() + tail, from.k.cols);
  const KvView to = store.view();
  const int width = from.k.cols / static_cast<int>(lists.size());
  for (size_t i = 0; i < lists.size(); ++i) {
    const Range columns{static_cast<int>(i) * width, static_cast<int>(i + 1) * width};
    backend.gather(from.k.columns(columns), lists[i], to.k.slice(kept).columns(columns));
    backend.gather(from.v.columns(columns), lists[i], to.v.slice(kept).columns(columns));
  }
}

}  // namespace unmask
