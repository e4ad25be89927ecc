// Attention of tail caches: methods whose steps compute the last slots of the cache and read the
// rest.
#pragma once

#include "model/method.h"

namespace unmask {

/// Puts the fresh keys and values into the last slots of the store; queries see every slot.
Attention attend_with_fresh_tail(AttendScope& scope);

}  // namespace unmask
