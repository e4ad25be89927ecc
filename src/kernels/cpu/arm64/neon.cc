// The kernels compiled for NEON, which every ARM64 processor has.
#include <arm_neon.h>

#include "kernels/cpu/arm64/tables.h"

namespace unmask::cpu {
namespace {

#include "kernels/cpu/arm64/begin_128.inc"

// Tiles: what registers hold. Depth blocks: 32 KiB of weights stay in L1.
constexpr int kInt8Rows = 4;
constexpr int kInt8Vectors = 4;
constexpr int kInt8Block = 128;  // quads
constexpr int kBlockRows = 3;
#include "kernels/cpu/arm64/dot_words.inc"
// products in terms of them
#include "kernels/cpu/portable/tiled_table.inc"

}  // namespace

const KernelTable& neon_table() {
  static const KernelTable table = table_of("neon");
  return table;
}

}  // namespace unmask::cpu
