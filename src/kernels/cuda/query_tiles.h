// Query rows cut into tiles that lie in one query block each.
#pragma once

#include <span>
#include <vector>

#include "kernels/cuda/types.h"

namespace unmask::cuda {

/// Tiles of the rows whose ascending positions are given, all in host memory.
std::vector<QueryTile> query_tiles(std::span<const int> positions, int block_size);

}  // namespace unmask::cuda
