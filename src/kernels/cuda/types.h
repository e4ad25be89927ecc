// Arguments that the host side hands to the kernels of a CUDA device. Plain C++, so that whoever
// plans the work needs no CUDA headers; every pointer is device memory unless said otherwise.
//
// bfloat16 travels as its bits. Matrices are row-major, the heads of one row side by side; strides
// count elements from row to row.
#pragma once

#include <cstddef>
#include <cstdint>

struct CUstream_st;

namespace unmask::cuda {

using Bf16 = uint16_t;
using Stream = CUstream_st*;  // cudaStream_t

/// What the choice of a kernel depends on.
struct DeviceTraits {
  int compute_capability = 0;  // 90 for 9.0
  int multiprocessors = 0;
};

/// Consecutive query rows that lie in one query block.
struct QueryTile {
  int32_t first_row = 0;
  int32_t rows = 0;  // 1 to kMaxTileRows
  int32_t query_block = 0;
};
inline constexpr int kMaxTileRows = 128;

/// Where the keys end that some rows see: of the row that sees fewest and of the one that sees
/// most.
struct KeyEnds {
  int32_t least = 0;
  int32_t most = 0;
};

/// The key blocks that each head and query block reads: a BlockPattern with rows of equal length.
/// List `head * n_blocks + query_block` starts at blocks[list * stride] and holds counts[list] >= 1
/// ascending numbers without repetition; what lies behind them is not read.
struct DeviceLists {
  const uint16_t* blocks = nullptr;  // null: dense
  const int32_t* counts = nullptr;
  int stride = 0;
  int block_size = 0;  // of queries and of keys
  int n_blocks = 0;    // ceil(positions / block_size)
};

/// out = softmax(scale * q k^T) v over all keys, those before a row's end, or the listed ones. q
/// and out may not overlap.
struct DeviceAttention {
  const Bf16* q = nullptr;  // [rows, n_heads * head_dim]
  const Bf16* k = nullptr;  // [keys, n_kv_heads * head_dim]
  const Bf16* v = nullptr;  // like k
  Bf16* out = nullptr;      // like q
  float* lse = nullptr;     // [n_heads, rows], log of the sum of exp(scale * q.k); null: not wanted
  int64_t q_stride = 0;     // all strides and pointers: multiples of 8 elements (16 bytes)
  int64_t k_stride = 0;
  int64_t v_stride = 0;
  int64_t out_stride = 0;
  int rows = 0;  // >= 1
  int keys = 0;  // >= 1
  int n_heads = 0;
  int n_kv_heads = 0;  // query head j reads key/value head j / (n_heads / n_kv_heads)
  int head_dim = 0;    // 32, 64, 96 or 128
  float scale = 0;     // 1 / sqrt(head_dim) for all supported models

  /// [rows], 1 to `keys`: a row sees the keys before its end. Null: all. Without lists only.
  const int32_t* key_ends = nullptr;
  const KeyEnds* tile_ends = nullptr;  // of every kMaxTileRows of them (tile_ends())
  DeviceLists lists{};
  /// With lists: which rows share a query block (query_tiles()). Null: row i is position i.
  const QueryTile* tiles = nullptr;
  int n_tiles = 0;
};

/// The tables of BlockImportance (src/kernels/block_pattern.h), where every position is both query
/// and key, in order.
struct DeviceImportance {
  const Bf16* q = nullptr;  // [rows, n_heads * head_dim]
  const Bf16* k = nullptr;  // [rows, n_kv_heads * head_dim]
  int64_t q_stride = 0;
  int64_t k_stride = 0;
  int rows = 0;
  int n_heads = 0;
  int n_kv_heads = 0;
  int head_dim = 0;
  float scale = 0;  // of the softmax that measures; need not be that of attention
  /// DeviceAttention::lse of a dense pass with the same scale; null: computed first.
  const float* lse = nullptr;
  int block_size = 0;              // a multiple of 8
  int first_generation_block = 0;  // 0: `generation` equals `all` and is measured none the less
  float* all = nullptr;            // [n_heads * n_blocks, n_blocks]
  float* generation = nullptr;     // [n_heads * n_blocks, n_blocks - first_generation_block]

  int n_blocks() const { return (rows + block_size - 1) / block_size; }
};

/// select_blocks() (src/kernels/select.h) for BlockSelection::coverage == 0: the most important
/// blocks of every row, ties to the lower block, as ascending lists.
struct DeviceSelection {
  const float* all = nullptr;         // as DeviceImportance leaves them
  const float* generation = nullptr;  // only read when isolated
  int n_heads = 0;
  int n_blocks = 0;  // at most 65,536
  int first_generation_block = 0;
  double select = 0.3;
  bool isolated = true;
  uint16_t* blocks = nullptr;  // [n_heads * n_blocks, list_stride(...)]
  int32_t* counts = nullptr;   // [n_heads * n_blocks]
};

}  // namespace unmask::cuda
