// Parameters of the kernel that selects blocks, made from a task. Plain C++: the launch code and
// the tests share it.
#pragma once

#include <algorithm>

#include "kernels/cuda/attention.h"

namespace unmask::cuda {

/// The `keep` largest of a row of a table; those from `limit` on only compete.
struct SelectPart {
  const float* table;  // [rows, size], not negative
  int size;
  int keep;   // at most size
  int limit;  // at most size
  int first;  // block of the table's first column
};

struct SelectParams {
  int rows;
  int n_parts;
  SelectPart parts[2];  // ascending in their blocks
  uint16_t* blocks;     // [rows, stride]
  int32_t* counts;      // [rows]
  int stride;
};

/// As select_blocks() counts: one block more than the share, in double precision.
inline int blocks_to_keep(int blocks, double select) {
  return std::min(blocks, static_cast<int>(static_cast<double>(blocks) * select) + 1);
}

inline SelectParams select_params(const DeviceSelection& t) {
  const int n = t.n_blocks;
  const int first = t.first_generation_block;
  const int own = n - first;
  return {.rows = t.n_heads * n,
          .n_parts = t.isolated ? 2 : 1,
          .parts = {{t.all, n, blocks_to_keep(n, t.select), t.isolated ? first : n, 0},
                    {t.generation, own, blocks_to_keep(own, t.select), own, first}},
          .blocks = t.blocks,
          .counts = t.counts,
          .stride = list_stride(t)};
}

}  // namespace unmask::cuda
