// What the methods share that keep keys and values by position and differ in the positions they
// compute.
#pragma once

#include "model/method.h"

namespace unmask {

/// Slot == position: fresh rows overwrite their slots, queries see every slot. The first step of a
/// sequence must compute all rows.
class PositionCache : public Method {
 public:
  Attention attend(AttendScope& scope) override;
};

}  // namespace unmask
