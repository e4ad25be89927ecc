// The kernels compiled for AVX-512 with VNNI.
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
#include "kernels/cpu/x86/dot_vnni.inc"
// products in terms of them
#include "kernels/cpu/portable/tiled_table.inc"

}  // namespace

const KernelTable& avx512_vnni_table() {
  static const KernelTable table = table_of("avx512_vnni");
  return table;
}

}  // namespace unmask::cpu
