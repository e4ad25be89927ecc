// What the methods share whose later steps compute the end of what a cache holds.
#pragma once

#include "model/method.h"

namespace unmask {

/// Puts the fresh keys and values into the last slots of the store and looks at all of them.
Attention attend_with_fresh_tail(AttendScope& scope);

}  // namespace unmask
