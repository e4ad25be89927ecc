// Base of the caches that keep keys and values by position; they differ in the positions they
// compute.
#pragma once

#include <vector>

#include "model/method.h"

namespace unmask {

/// Slot == position: fresh rows overwrite their slots, queries see every slot. The slots are those
/// of the positions computed so far, which must be all before the last one: the first pass may
/// compute every position, or several passes may go from left to right.
class PositionCache : public Method {
 public:
  Attention attend(AttendScope& scope) override;
  std::vector<int> slot_positions(const AttendScope& scope, int kv_head) const override;
};

}  // namespace unmask
