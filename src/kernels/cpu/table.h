// The kernels that exist once per instruction set, behind one table each.
#pragma once

#include <stdint.h>  // not <cstdint>: the ISA files must not pull in C++ library code

#include "kernels/cpu/block_layout.h"
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
  const void* values;  // float32, bfloat16 or int8
  int64_t stride;      // bytes between rows
  // Of int8 rows that have one scale:
  const float* scales = nullptr;    // [rows]
  const int32_t* starts = nullptr;  // [rows]: minus the weights' offset times the sum of values
  // Of int8 rows for packed blocks, whatever their layouts:
  const InputBlock* blocks = nullptr;  // [rows, n_blocks]
  int n_blocks = 0;
};

/// The rows from `first` on.
inline PackedRows rows_from(const PackedRows& rows, int first) {
  PackedRows rest = rows;
  rest.values = static_cast<const char*>(rows.values) + first * rows.stride;
  if (rows.blocks != nullptr) rest.blocks += int64_t{first} * rows.n_blocks;
  if (rows.scales == nullptr) return rest;
  rest.scales += first;
  rest.starts += first;
  return rest;
}

/// Adding this makes int8 weights unsigned.
inline constexpr int kInt8Offset = 128;

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

/// What quantize_row and quantize_blocks do, apart: for a row or block of which others have a part.
struct QuantizeParts {
  float (*largest_magnitude)(const float* x, int n);
  /// Returns the scale.
  float (*quantize)(const float* x, int n, float largest, int8_t* values);
  int (*sum_row)(const int8_t* values, int n);
  /// Leaves the sums of 256 values.
  void (*sum_block)(const int8_t* values, InputBlock* block);
};

/// By BlockFormat.
struct BlockProducts {
  void (*of[kLayouts])(const PanelProduct& product);
};

/// Weights as int4 by groups of 32: codes of 0 to 15, and the float16 scale of each group. A weight
/// is about scale * (code - 8). The same bytes under every instruction set.
using QuantizeGroups = void(const float* weights, int groups, uint8_t* codes, uint16_t* scales);

struct KernelTable {
  const char* name;

  RowMath row_math;
  void (*rms_norm)(const float* x, const float* weight, float eps, int n, float* out);
  /// Rotates one head of one row; cos and sin have head_dim / 2 entries.
  void (*rope)(float* x, const float* cos, const float* sin, int head_dim);
  void (*swiglu)(float* gate, const float* up, int n);
  void (*add)(float* x, const float* y, int n);
  /// out[i] = a b[i], of `count` rows b that lie `stride` apart; each as if it were alone.
  void (*dots)(const float* a, const float* b, int64_t stride, int count, int n, float* out);
  /// out += softmax(scores).
  void (*softmax_add)(float* scores, int n, float* out);
  void (*to_bf16)(const float* x, int n, uint16_t* out);
  AttentionKernels f32_attention;
  const AttentionKernels* bf16_attention;  // null where the instruction set has no such products
  /// One row as int8: its largest magnitude becomes 127. `start`: see PackedRows.
  void (*quantize_row)(const float* x, int n, int8_t* values, float* scale, int32_t* start);
  /// One row as int8 by 256s: the largest magnitude of each becomes 127. Values are zero up to the
  /// end of the last block.
  void (*quantize_blocks)(const float* x, int n, int8_t* values, InputBlock* blocks);
  QuantizeParts quantize_parts;
  QuantizeGroups* quantize_groups;
  void (*f32_product)(const PanelProduct& product);
  /// Of bfloat16 weights. Where the processor multiplies bfloat16, inputs are rounded to it, too;
  /// else they are float32, and so is the arithmetic.
  void (*bf16_product)(const PanelProduct& product);
  bool bf16_inputs;
  void (*int8_product)(const PanelProduct& product);
  BlockProducts block_products;
};

QuantizeGroups plain_quantize_groups;

/// Of every processor; others are in the folders of processors.
const KernelTable& plain_table();

}  // namespace unmask::cpu
