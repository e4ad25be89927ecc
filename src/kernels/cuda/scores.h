// Parameters of the kernels that measure attention, made from a task. Plain C++: the launch code
// and the tests share it.
#pragma once

#include "kernels/cuda/flash.h"
#include "kernels/cuda/flash_mma.h"
#include "kernels/cuda/types.h"

namespace unmask::cuda {

/// The log-sum-exps of all rows over the keys of blocks from `first_block` on.
struct LseParams {
  float* lse;  // [n_heads, rows], in nats
  int first_block;
};

/// Sums of probabilities, block by block.
struct BlockSumParams {
  const float* lse;             // over all keys, [n_heads, rows]
  const float* generation_lse;  // over the keys of the generation
  float* all;                   // [n_heads * n_blocks, n_blocks]
  float* generation;            // [n_heads * n_blocks, n_blocks - first_generation_block]
  int first_generation_block;
};

/// What both are told besides: every position is query and key.
struct ScoreParams {
  int rows;
  int n_heads;
  int group;  // query heads of a key head
  int block_size;
  int n_blocks;
  float log2_scale;
};

inline ScoreParams score_params(const DeviceImportance& t) {
  return {.rows = t.rows,
          .n_heads = t.n_heads,
          .group = t.n_heads / t.n_kv_heads,
          .block_size = t.block_size,
          .n_blocks = t.n_blocks(),
          .log2_scale = t.scale * kLog2E};
}

/// Shared memory for the sums of eight warps in two tables.
inline uint32_t block_sum_bytes(const DeviceImportance& t) {
  return 8 * 4 * static_cast<uint32_t>(2 * t.n_blocks() - t.first_generation_block);
}

struct ScoreBoxes {
  TensorBoxes q, k;
};

inline ScoreBoxes score_boxes(const DeviceImportance& t) {
  return {.q = {t.q, t.q_stride, t.rows, t.n_heads, t.head_dim, kTileRows},
          .k = {t.k, t.k_stride, t.rows, t.n_kv_heads, t.head_dim, kTileRows}};
}

/// The workspace holds the log-sum-exps that the task lacks.
struct ScorePlan {
  LseParams over_all;         // to be measured if lse is not null
  LseParams over_generation;  // always measured
  BlockSumParams sums;
};

inline int64_t lse_size(const DeviceImportance& t) { return int64_t{t.n_heads} * t.rows; }

inline ScorePlan score_plan(const DeviceImportance& t, float* workspace) {
  float* own = t.lse == nullptr ? workspace + lse_size(t) : nullptr;
  return {.over_all = {own, 0},
          .over_generation = {workspace, t.first_generation_block},
          .sums = {.lse = t.lse != nullptr ? t.lse : own,
                   .generation_lse = workspace,
                   .all = t.all,
                   .generation = t.generation,
                   .first_generation_block = t.first_generation_block}};
}

// For sm_80 and later (scores_mma.inc).

/// A dense pass for the log-sum-exps alone, keys not split.
inline MmaParams lse_pass(const DeviceImportance& t, const LseParams& own) {
  const int first = own.first_block * t.block_size;
  return mma_params({}, {.q = t.q,
                         .k = t.k + first * t.k_stride,
                         .lse = own.lse,
                         .q_stride = t.q_stride,
                         .k_stride = t.k_stride,
                         .rows = t.rows,
                         .keys = t.rows - first,
                         .n_heads = t.n_heads,
                         .n_kv_heads = t.n_kv_heads,
                         .head_dim = t.head_dim,
                         .scale = t.scale});
}

/// A pass whose tiles are the query blocks of one head.
inline MmaParams block_pass(const DeviceImportance& t) {
  MmaParams p = lse_pass(t, {nullptr, 0});
  p.side_heads = 1;
  p.tile_step = t.block_size;
  p.tile_rows = ceil_div(t.block_size, kWarpRows) * kWarpRows;
  p.n_tiles = t.n_blocks();
  return p;
}

}  // namespace unmask::cuda
