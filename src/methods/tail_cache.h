// Attention of tail caches: methods whose steps compute the last slots of the cache and read the
// rest.
#pragma once

#include <vector>

#include "model/method.h"

namespace unmask {

/// Puts the fresh keys and values into the last slots of the store; queries see every slot.
Attention attend_with_fresh_tail(AttendScope& scope);

/// Makes `store` hold the rows `lists` of `from`, and behind them room for `tail` rows: one list
/// for all key heads, or one for each and all of a length. Keys carry their rotation and attention
/// knows no order, so a slot may stand for another position in every head.
void keep_slots(Backend& backend, const KvView& from, const std::vector<Rows>& lists, int tail,
                KvStore& store);

}  // namespace unmask
