// Query rows cut into tiles.
#pragma once

#include <span>
#include <vector>

#include "kernels/cuda/types.h"

namespace unmask::cuda {

/// Tiles, each in one query block, of the rows whose ascending positions are given, all in host
/// memory.
std::vector<QueryTile> query_tiles(std::span<const int> positions, int block_size);

/// Least and most of the ends of every kMaxTileRows rows (DeviceAttention::tile_ends).
std::vector<KeyEnds> tile_ends(std::span<const int> key_ends);

}  // namespace unmask::cuda
