// Parameters of the attention kernels, made from a task. Plain C++: the launch code and the tests
// share it.
#pragma once

#include "kernels/cuda/tensor_box.h"
#include "kernels/cuda/types.h"

namespace unmask::cuda {

inline constexpr float kLog2E = 1.44269504F;
inline constexpr float kLn2 = 0.693147181F;
inline constexpr float kHuge = 1e30F;  // minus this: the score of what is hidden

// Kernel for sm_90a (flash_sm90.inc).

inline constexpr int kTileRows = 128;  // of queries, and keys of a tile

struct FlashParams {
  const uint16_t* blocks;  // null: every tile of keys
  const int32_t* counts;
  int list_stride;
  float* lse;               // null: not wanted
  const int32_t* key_ends;  // null: rows see all keys
  const KeyEnds* tile_ends;
  int rows;
  int keys;
  int n_heads;
  int group;         // query heads of a key head
  int query_tiles;   // of one head
  float log2_scale;  // scores times this are powers of two
};

/// Lists or not, rows are positions: query tile i holds rows [128 i, 128 (i + 1)).
inline FlashParams flash_params(const DeviceAttention& task) {
  return {.blocks = task.lists.blocks,
          .counts = task.lists.counts,
          .list_stride = task.lists.stride,
          .lse = task.lse,
          .key_ends = task.key_ends,
          .tile_ends = task.tile_ends,
          .rows = task.rows,
          .keys = task.keys,
          .n_heads = task.n_heads,
          .group = task.n_heads / task.n_kv_heads,
          .query_tiles = (task.rows + kTileRows - 1) / kTileRows,
          .log2_scale = task.scale * kLog2E};
}

struct FlashBoxes {
  TensorBoxes q, k, v, out;
};

inline FlashBoxes flash_boxes(const DeviceAttention& t) {
  const int dim = t.head_dim;
  return {.q = {t.q, t.q_stride, t.rows, t.n_heads, dim, kTileRows},
          .k = {t.k, t.k_stride, t.keys, t.n_kv_heads, dim, kTileRows},
          .v = {t.v, t.v_stride, t.keys, t.n_kv_heads, dim, kTileRows},
          .out = {t.out, t.out_stride, t.rows, t.n_heads, dim, kTileRows / 2}};
}

}  // namespace unmask::cuda
