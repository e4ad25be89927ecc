// The passes over rows of logits as plain loops with double sums.
#pragma once

#include "kernels/row_math.h"

namespace unmask {

RowMath plain_row_math();

}  // namespace unmask
