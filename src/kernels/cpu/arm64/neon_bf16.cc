// The kernels compiled for NEON with products of matrices of bytes and of bfloat16.
#include <arm_neon.h>

#include "kernels/cpu/arm64/tables.h"

namespace unmask::cpu {
namespace {

#include "kernels/cpu/arm64/begin_128.inc"

// Tiles: what registers hold. Depth blocks: 32 KiB of weights stay in L1.
constexpr int kInt8Rows = 8;
constexpr int kInt8Vectors = 2;
constexpr int kInt8Block = 128;  // quads
constexpr int kBlockRows = 6;
constexpr int kBf16Rows = 8;
constexpr int kBf16Vectors = 2;
constexpr int kBf16Block = 128;  // pairs
#include "kernels/cpu/arm64/matrices.inc"
// products in terms of them
#include "kernels/cpu/portable/tiled_table_bf16.inc"

}  // namespace

const KernelTable& neon_bf16_table() {
  static const KernelTable table = table_of("neon_bf16");
  return table;
}

}  // namespace unmask::cpu
