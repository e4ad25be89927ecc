#include "kernels/cuda/query_tiles.h"

#include <algorithm>

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

std::vector<KeyEnds> tile_ends(std::span<const int> key_ends) {
  std::vector<KeyEnds> tiles;
  for (size_t i = 0; i < key_ends.size(); i += kMaxTileRows) {
    const auto rows = key_ends.subspan(i, std::min<size_t>(kMaxTileRows, key_ends.size() - i));
    const auto [least, most] = std::minmax_element(rows.begin(), rows.end());
    tiles.push_back({*least, *most});
  }
  return tiles;
}

}  // namespace unmask::cuda
