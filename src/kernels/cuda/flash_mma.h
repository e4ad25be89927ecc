// Parameters of the attention kernel for sm_80 and later, made from a task. Plain C++: the launch
// code and the tests share it.
#pragma once

#include <algorithm>

#include "kernels/cuda/flash.h"
#include "kernels/cuda/types.h"

namespace unmask::cuda {

// Keys at a time: two chunks of keys and of values of 128 columns take 70 KB, so that two blocks of
// threads share the 164 KB of a multiprocessor of sm_80.
inline constexpr int kChunk = 64;
inline constexpr int kWarpRows = 16;  // query rows of a warp: those of mma.sync

/// Rows of a tile. Dense: the query heads of one key head follow one another, so that few rows of
/// many heads fill a tile: tile row m is row m % rows of head m / rows. With lists: rows of one
/// query block and one head.
struct MmaParams {
  const Bf16* q;
  const Bf16* k;
  const Bf16* v;
  Bf16* out;
  float* lse;               // null: not wanted
  const int32_t* key_ends;  // null: rows see all keys of their tile
  const KeyEnds* tile_ends;
  int64_t q_stride, k_stride, v_stride, out_stride;
  int rows;
  int keys;
  int n_heads;
  int group;       // query heads of a key head
  int side_heads;  // heads that share tiles: group, or 1 with lists
  int tile_rows;   // room of a tile, 16 a warp
  int tile_step;   // dense: rows from tile to tile
  int n_tiles;     // of one head, or of heads that share
  float log2_scale;
  DeviceLists lists;
  const QueryTile* tiles;  // null: positions are rows
  int tiles_per_block;     // of those
  /// Keys are split between blocks of threads that leave normalised parts, [splits, n_heads, rows,
  /// head_dim] and [splits, n_heads, rows]; with one split both are null.
  int splits;
  int split_chunks;
  float* part_out;
  float* part_lse;
};

inline int ceil_div(int a, int b) { return (a + b - 1) / b; }

/// Splits so that every multiprocessor gets three blocks of threads, of no fewer than four chunks.
/// Three is what its shared memory holds of heads of 128: one block more would be a second round.
inline int mma_splits(const DeviceTraits& device, int blocks, int chunks) {
  const int wanted = 3 * device.multiprocessors / blocks;
  return std::clamp(wanted, 1, std::max(1, chunks / 4));
}

inline MmaParams mma_params(const DeviceTraits& device, const DeviceAttention& t) {
  const bool dense = t.lists.blocks == nullptr;
  const int group = t.n_heads / t.n_kv_heads;
  const int together = dense ? group * t.rows : std::min(t.rows, t.lists.block_size);
  MmaParams p{.q = t.q,
              .k = t.k,
              .v = t.v,
              .out = t.out,
              .lse = t.lse,
              .key_ends = t.key_ends,
              .tile_ends = t.tile_ends,
              .q_stride = t.q_stride,
              .k_stride = t.k_stride,
              .v_stride = t.v_stride,
              .out_stride = t.out_stride,
              .rows = t.rows,
              .keys = t.keys,
              .n_heads = t.n_heads,
              .group = group,
              .side_heads = dense ? group : 1,
              .tile_rows = std::min(kMaxTileRows, ceil_div(together, kWarpRows) * kWarpRows),
              .tile_step = 0,
              .n_tiles = 0,
              .log2_scale = t.scale * kLog2E,
              .lists = t.lists,
              .tiles = t.tiles,
              .tiles_per_block = 1,
              .splits = 1,
              .split_chunks = 0,
              .part_out = nullptr,
              .part_lse = nullptr};
  if (dense) {
    const int chunks = ceil_div(t.keys, kChunk);
    p.tile_step = p.tile_rows;
    p.n_tiles = ceil_div(together, p.tile_step);
    p.split_chunks = ceil_div(chunks, mma_splits(device, p.n_tiles * t.n_kv_heads, chunks));
    p.splits = ceil_div(chunks, p.split_chunks);
  } else if (t.tiles != nullptr) {
    p.n_tiles = t.n_tiles;
  } else {
    p.tiles_per_block = ceil_div(t.lists.block_size, p.tile_rows);
    p.n_tiles = ceil_div(t.rows, t.lists.block_size) * p.tiles_per_block;
  }
  return p;
}

inline int mma_blocks(const MmaParams& p) {
  return p.n_heads / p.side_heads * p.n_tiles * p.splits;
}
inline int mma_threads(const MmaParams& p) { return p.tile_rows / kWarpRows * 32; }

/// Floats of the parts of a task whose keys are split.
inline size_t mma_part_floats(const MmaParams& p, int head_dim) {
  if (p.splits == 1) return 0;
  return static_cast<size_t>(p.splits) * static_cast<size_t>(p.n_heads) *
         static_cast<size_t>(p.rows) * static_cast<size_t>(head_dim + 1);
}

/// Puts the parts into the workspace.
inline void place_parts(MmaParams& p, int head_dim, float* workspace) {
  if (p.splits == 1) return;
  p.part_out = workspace;
  p.part_lse = workspace + int64_t{p.splits} * p.n_heads * p.rows * head_dim;
}

}  // namespace unmask::cuda
