// Floats to the two block formats that need no search: one scale a block, 8 or 4 bits a value.
#pragma once

#include <cstddef>

#include "core/block_format.h"

namespace unmask {

/// Whether quantize() makes blocks of this format: Q8_0 or Q4_0.
bool can_quantize(BlockFormat format);

/// Writes the blocks of `n` finite values, a multiple of the elements of a block. Q8_0 scales the
/// largest magnitude to 127, Q4_0 to -8, so that a value is off by at most 1/254 and, for those of
/// the largest one's sign, 1/16 of the block's largest magnitude.
void quantize(BlockFormat format, const float* values, size_t n, std::byte* blocks);

}  // namespace unmask
