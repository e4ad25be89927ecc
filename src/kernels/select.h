// From measured importance to a pattern: which key blocks every query block keeps.
#pragma once

#include "kernels/block_pattern.h"

namespace unmask {

struct BlockSelection {
  double select = 0.3;   // share of the key blocks that each query block keeps
  double coverage = 0;   // > 0: instead, the fewest blocks that hold this share of the attention
  bool isolated = true;  // rank blocks of the prompt and of the generation apart
};

/// Ties go to the lower block. Isolated selection ranks prompt blocks by their share of all
/// attention, competing with the generation, and generation blocks by their share among themselves
/// (SparseD, arXiv 2509.24014, as released).
BlockPattern select_blocks(const BlockImportance& importance, const BlockSelection& selection);

}  // namespace unmask
