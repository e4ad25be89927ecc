// The kernels compiled for NEON with dot products of bytes.
#include <arm_neon.h>

#include "kernels/cpu/arm64/tables.h"

namespace unmask::cpu {
namespace {

#include "kernels/cpu/arm64/begin_128.inc"

// Tiles: what registers hold. Depth blocks: 32 KiB of weights stay in L1.
constexpr int kInt8Rows = 8;
constexpr int kInt8Vectors = 2;
constexpr int kInt8Block = 128;  // quads
constexpr int kBlockRows = 5;
#include "kernels/cpu/arm64/dot_lanes.inc"
// products in terms of them
#include "kernels/cpu/portable/tiled_table.inc"

}  // namespace

const KernelTable& neon_dotprod_table() {
  static const KernelTable table = table_of("neon_dotprod");
  return table;
}

}  // namespace unmask::cpu
