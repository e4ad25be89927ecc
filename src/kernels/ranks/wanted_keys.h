// What ranks that share the queries of attention read of its keys, where a pattern says so.
#pragma once

#include "kernels/backend.h"
#include "ranks/row_exchange.h"

namespace unmask {

/// The slots that the queries of each rank see. `queries`: their shares; `task` has a pattern.
WantedRows wanted_keys(const AttentionTask& task, const RowShares& queries, const HeadShape& shape);

}  // namespace unmask
