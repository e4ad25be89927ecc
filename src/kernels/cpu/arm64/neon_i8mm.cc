// The kernels compiled for NEON with products of matrices of bytes.
#include <arm_neon.h>

#include "kernels/cpu/arm64/tables.h"

namespace unmask::cpu {
namespace {

constexpr int kVecBytes = 16;
constexpr int kQueryRows = 8;
#include "kernels/cpu/portable/base.inc"

// Tiles: what 32 registers hold. Depth blocks: 32 KiB of weights stay in L1.
constexpr int kFloatRows = 6;
constexpr int kFloatVectors = 4;
constexpr int kFloatBlock = 128;  // pairs
constexpr int kInt8Rows = 8;
constexpr int kInt8Vectors = 2;
constexpr int kInt8Block = 128;  // quads
constexpr int kBlockRows = 6;
#include "kernels/cpu/arm64/registers_128.inc"
#include "kernels/cpu/portable/product_float.inc"
// in terms of these
#include "kernels/cpu/arm64/matrices.inc"
// and products in terms of both
#include "kernels/cpu/portable/tiled_blocks.inc"
#include "kernels/cpu/portable/tiled_products.inc"
constexpr auto kQuantizeGroups = plain_quantize_groups;
constexpr auto kBf16Product = float_product<true>;
constexpr bool kBf16Inputs = false;
constexpr auto kInt8Product = int8_product;
constexpr auto kBlockProducts = block_products;
// last, since it names all of them
#include "kernels/cpu/portable/table.inc"

}  // namespace

const KernelTable& neon_i8mm_table() {
  static const KernelTable table = table_of("neon_i8mm");
  return table;
}

}  // namespace unmask::cpu
