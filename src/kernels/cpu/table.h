// The kernels that exist once per instruction set, behind one table each.
#pragma once

#include <stdint.h>  // not <cstdint>: the ISA files must not pull in C++ library code

#include "kernels/into.h"
#include "kernels/row_math.h"

namespace unmask::cpu {

/// A key panel of which queries see some slots: bit i of `seen` stands for slot first + i.
struct SeenPanel {
  int first;
  uint32_t seen;  // not 0
};

/// Keys and values of one head in the layout of the attention kernel: panels of some slots, each
/// with padded_dim elements a slot. Both are zero beyond the last slot and the last column.
struct PackedHead {
  const void* keys;
  const void* values;
  int padded_dim;
};

/// Where a tile leaves its part of a BlockImportance (kernels/block_pattern.h). The tile's rows are
/// consecutive and begin with a query block; every slot is in exactly one panel entry.
struct ImportanceTile {
  int block_size;
  int n_blocks;
  int first_generation_block;
  int generation_panels;  // panels of the generation, which come first
  float power;            // scale of the measuring softmax over 1/sqrt(head_dim)
  float* all;             // row of the tile's first query block, n_blocks wide
  float* generation;      // the same, n_blocks - first_generation_block wide
  float* scratch;         // importance_scratch(rows, n_blocks) floats
};

/// Some query rows of one head.
struct AttentionTile {
  const float* q;
  int64_t q_stride;
  float* out;
  int64_t out_stride;
  float* lse;  // of every row, `lse_stride` apart; null: not asked for
  int64_t lse_stride;
  int rows;
  int head_dim;
  PackedHead head;
  const SeenPanel* panels;  // in the order in which they are read
  int n_panels;
  const ImportanceTile* importance;  // null: not asked for
  float* scratch;                    // scratch(rows, padded_dim) floats
};

/// Attention in one number format: how keys and values are packed and how a tile attends.
struct AttentionKernels {
  int element_bytes;  // of packed keys and values
  int panel;          // slots per panel, at most 32; padded_dim is a multiple of it
  int tile_rows;      // query rows that should share a pass over one head's keys

  /// Copies `slots` rows of one head into packed form. `out` begins a panel and gets whole ones.
  void (*pack_keys)(const float* k, int64_t stride, int slots, int head_dim, int padded_dim,
                    void* out);
  void (*pack_values)(const float* v, int64_t stride, int slots, int head_dim, int padded_dim,
                      void* out);
  /// Floats of scratch for up to `rows` query rows.
  int (*scratch)(int rows, int padded_dim);
  int (*importance_scratch)(int rows, int n_blocks);
  void (*attend)(const AttentionTile& tile);
};

/// Rows of activations as products take them, zero beyond the last column.
struct PackedRows {
  const void* values;  // bfloat16 or int8
  int64_t stride;      // bytes between rows
  // Of int8 only:
  const float* scales;    // [rows, n_scales]
  const int32_t* starts;  // [rows, n_starts]: minus the weights' offset times a sum of values
  int n_scales;
  int n_starts;
};

/// The rows from `first` on.
inline PackedRows rows_from(const PackedRows& rows, int first) {
  PackedRows rest = rows;
  rest.values = static_cast<const char*>(rows.values) + first * rows.stride;
  if (rows.scales == nullptr) return rest;
  rest.scales += int64_t{first} * rows.n_scales;
  rest.starts += int64_t{first} * rows.n_starts;
  return rest;
}

/// How rows of activations become int8.
struct RowQuantization {
  int scale_columns;  // columns that share a scale
  int sum_columns;    // columns whose sum is wanted
  int offset;         // what has been added to the weights to make them unsigned
};

/// Where one row goes.
struct QuantizedRow {
  int8_t* values;
  float* scales;
  int32_t* starts;
};

/// Some rows times one panel of packed weights: y = x W^T + bias.
struct PanelProduct {
  PackedRows x;
  int rows;
  int depth;          // inner dimension, padded
  const void* panel;  // in a layout of weight_layout.h, aligned to 64 bytes
  const void* next;   // what is read after it
  int columns;        // of the panel that exist
  const float* bias;  // null: none
  Into into;
  float* out;
  int64_t out_stride;
  float* sums;  // scratch, [rows, columns of a whole panel]
};

// The blocks of int4 weights (weight_layout.h).
inline constexpr int kInt4Columns = 32;
inline constexpr int kInt4Group = 32;          // columns of depth that share a scale
inline constexpr int kInt4GroupsPerScale = 8;  // groups that share an input scale
inline constexpr int kInt4Nibbles = kInt4Columns * kInt4Group / 2;  // bytes
inline constexpr int kInt4Bytes = kInt4Nibbles + 2 * kInt4Columns;  // with the scales

struct KernelTable {
  const char* name;

  RowMath row_math;
  void (*rms_norm)(const float* x, const float* weight, float eps, int n, float* out);
  /// Rotates one head of one row; cos and sin have head_dim / 2 entries.
  void (*rope)(float* x, const float* cos, const float* sin, int head_dim);
  void (*swiglu)(float* gate, const float* up, int n);
  void (*add)(float* x, const float* y, int n);
  float (*dot)(const float* a, const float* b, int n);
  /// out += softmax(scores).
  void (*softmax_add)(float* scores, int n, float* out);
  void (*to_bf16)(const float* x, int n, uint16_t* out);
  AttentionKernels f32_attention;
  const AttentionKernels* bf16_attention;  // null where the instruction set has no such products
  void (*quantize_row)(const float* x, int n, const RowQuantization& by, const QuantizedRow& out);
  void (*bf16_product)(const PanelProduct& product);  // null: no instructions for it
  void (*int8_product)(const PanelProduct& product);
  void (*int4_product)(const PanelProduct& product);
};

const KernelTable& plain_table();
const KernelTable& avx2_table();
const KernelTable& avx512_table();
const KernelTable& avx512_bf16_table();

}  // namespace unmask::cpu
