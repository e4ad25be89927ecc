// From measured importance to a pattern: which key blocks every query block keeps.
#pragma once

#include "kernels/block_pattern.h"

namespace unmask {

/// Ties go to the lower block. Isolated selection ranks prompt blocks by their share of all
/// attention, competing with the generation, and generation blocks by their share among themselves
/// (SparseD, arXiv 2509.24014, as released).
BlockPattern select_blocks(const BlockImportance& importance, const BlockSelection& selection);

}  // namespace unmask
