#include "kernels/cuda/query_tiles.h"

namespace unmask::cuda {

std::vector<QueryTile> query_tiles(std::span<const int> positions, int block_size) {
  std::vector<QueryTile> tiles;
  for (size_t i = 0; i < positions.size(); ++i) {
    const int block = positions[i] / block_size;
    const bool fits =
        !tiles.empty() && tiles.back().query_block == block && tiles.back().rows < kMaxTileRows;
    if (!fits) tiles.push_back({.first_row = static_cast<int32_t>(i), .query_block = block});
    ++tiles.back().rows;
  }
  return tiles;
}

}  // namespace unmask::cuda
