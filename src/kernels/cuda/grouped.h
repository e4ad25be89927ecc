// How grouped products are cut into tiles. Plain C++: the launch code and the tests share it.
#pragma once

#include <algorithm>

#include "kernels/cuda/experts.h"

namespace unmask::cuda {

inline constexpr int kGroupColumns = 128;  // rows of weights in a tile; of gates and ups half each

/// Places of a tile. Up to 16 to an expert the device waits for weights and a small tile leaves
/// room for more of them on their way; above, every tile of places reads them again.
inline int group_rows(const GroupedProduct& t) {
  const int mean = t.choices / t.experts;
  return mean <= 16 ? 16 : mean <= 64 ? 64 : 128;
}
constexpr int group_threads(int rows) { return rows <= 64 ? 128 : 256; }

/// Tiles across the columns of the output.
inline int group_tiles(const GroupedProduct& t) {
  const int columns = t.gated ? kGroupColumns / 2 : kGroupColumns;
  return (t.out_stride + columns - 1) / columns;
}

/// Blocks of threads that share the places of an expert: enough for twice the mean, as nobody knows
/// on the host how many there are. Each goes on until the places end.
inline int group_shares(const GroupedProduct& t) {
  const int rows = group_rows(t);
  const int most = (t.choices / t.top_k + rows - 1) / rows;  // an expert has a row at most once
  return std::clamp((2 * t.choices / t.experts + rows - 1) / rows, 1, most);
}

inline int group_blocks(const GroupedProduct& t) {
  return t.experts * group_shares(t) * group_tiles(t);
}

}  // namespace unmask::cuda
