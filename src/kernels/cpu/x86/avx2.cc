// The kernels compiled for AVX2 and FMA.
#include <immintrin.h>

#include "kernels/cpu/x86/tables.h"

namespace unmask::cpu {
namespace {

#include "kernels/cpu/x86/begin_256.inc"

// Tiles: what registers hold. Depth blocks: 32 KiB of weights stay in L1.
constexpr int kInt8Rows = 4;
constexpr int kInt8Vectors = 2;
constexpr int kInt8Block = 128;  // quads
constexpr int kBlockRows = 3;
#include "kernels/cpu/x86/dot_pairs.inc"
// products in terms of them
#include "kernels/cpu/portable/tiled_table.inc"

}  // namespace

const KernelTable& avx2_table() {
  static const KernelTable table = table_of("avx2");
  return table;
}

}  // namespace unmask::cpu
