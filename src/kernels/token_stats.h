// From one row of logits to one decision: shared by the backends that keep logits in host memory.
#pragma once

#include <span>

#include "kernels/backend.h"
#include "kernels/row_math.h"

namespace unmask {

/// Reduces `row` (overwritten as scratch) as `query` asks. Every id in the lists of the query must
/// lie inside the row.
TokenStats reduce_row(std::span<float> row, int position, const TokenQuery& query,
                      const RowMath& math);

}  // namespace unmask
