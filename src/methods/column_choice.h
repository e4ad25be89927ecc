// A pattern of single keys, columns of the attention matrix: finer than blocks, so that fewer keys
// hold the same attention (PulseCol, arXiv 2605.20813), for contexts of some thousand positions.
#pragma once

#include "kernels/block_pattern.h"
#include "model/method.h"

namespace unmask {

/// For each head and block of queries: of the prompt's keys those that get most of the block's
/// attention, and all of the generation's; blocks of the prompt rank both together. The query heads
/// of a key head share its choice. The scope has the queries and keys of all positions.
/// Throws Error for a canvas of more than 65,536 positions.
BlockPattern choose_columns(const AttendScope& scope, int block, const BlockSelection& selection);

}  // namespace unmask
