// One layer's slots of a cache that is not computed anew with every block: what the store holds of
// other positions is carried over, the fresh rows stand behind it.
#pragma once

#include <functional>
#include <vector>

#include "model/method.h"

namespace unmask {

class CarriedSlots {
 public:
  /// A block begins with a pass over scope.positions: makes room for them behind what the store
  /// holds of other positions, those that `stays` refuses left out. A key head may hold other
  /// positions than the next one, but as many.
  void begin(AttendScope& scope, const std::function<bool(int position)>& stays);
  /// The store keeps these positions only: one list for all key heads, or one for each and all of a
  /// length. Returns what it held before; the pass that chooses still attends to that.
  KvStore keep(AttendScope& scope, const std::vector<Rows>& positions);

  /// Positions by slot: one list for all key heads or one for each.
  const std::vector<std::vector<int>>& positions() const { return positions_; }
  const std::vector<int>& positions(int kv_head) const {
    return positions_[positions_.size() == 1 ? 0 : static_cast<size_t>(kv_head)];
  }

 private:
  /// Moves the slots `lists` of the store into a new one with room for `tail` more.
  KvStore replace(AttendScope& scope, const std::vector<Rows>& lists, int tail);

  std::vector<std::vector<int>> positions_;
};

}  // namespace unmask
