// The kernels compiled for AVX-512 with BF16 and VNNI.
#include <immintrin.h>

#include "kernels/cpu/x86/tables.h"

namespace unmask::cpu {
namespace {

#include "kernels/cpu/x86/begin_512.inc"

// Tiles: what registers hold. Depth blocks: 128 KiB of weights stay in L2 for all tiles.
constexpr int kInt8Rows = 6;
constexpr int kInt8Vectors = 4;
constexpr int kInt8Block = 512;  // quads
constexpr int kBlockRows = 6;
constexpr int kBf16Rows = 6;
constexpr int kBf16Vectors = 4;
constexpr int kBf16Block = 512;  // pairs
#include "kernels/cpu/x86/dot_vnni.inc"
// and for bfloat16
#include "kernels/cpu/x86/dot_bf16.inc"
// products in terms of them
#include "kernels/cpu/portable/tiled_table_bf16.inc"

namespace bf16 {
#include "kernels/cpu/x86/bf16.inc"
// after what it is written in terms of
#include "kernels/cpu/x86/attention_bf16.inc"
}  // namespace bf16

}  // namespace

const KernelTable& avx512_bf16_table() {
  static const AttentionKernels bf16_attention = bf16::attention_kernels();
  static const KernelTable table = table_of("avx512_bf16", &bf16_attention);
  return table;
}

}  // namespace unmask::cpu
