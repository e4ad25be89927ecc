// The kernels compiled for AVX-512 (F, BW, DQ, VL).
#include <immintrin.h>

#include "kernels/cpu/x86/tables.h"

namespace unmask::cpu {
namespace {

#include "kernels/cpu/x86/begin_512.inc"

// Tiles: what registers hold. Depth blocks: 32 KiB of weights, whose inputs are spread.
constexpr int kInt8Rows = 5;
constexpr int kInt8Vectors = 4;
constexpr int kInt8Block = 128;  // quads
constexpr int kBlockRows = 6;
#include "kernels/cpu/x86/dot_pairs.inc"
// products in terms of them
#include "kernels/cpu/portable/tiled_table.inc"

}  // namespace

const KernelTable& avx512_table() {
  static const KernelTable table = table_of("avx512");
  return table;
}

}  // namespace unmask::cpu
