// The kernels compiled for AVX2 and FMA.
#include <immintrin.h>

#include "kernels/cpu/x86/tables.h"

namespace unmask::cpu {
namespace {

constexpr int kVecBytes = 32;
constexpr int kQueryRows = 4;
#include "kernels/cpu/portable/base.inc"

// Tiles: what 16 registers hold. Depth blocks: 32 KiB of weights stay in L1.
constexpr int kFloatRows = 6;
constexpr int kFloatVectors = 2;
constexpr int kFloatBlock = 128;  // pairs
constexpr int kInt8Rows = 4;
constexpr int kInt8Vectors = 2;
constexpr int kInt8Block = 128;  // quads
constexpr int kBlockRows = 3;
#include "kernels/cpu/portable/product_float.inc"
#include "kernels/cpu/x86/registers_256.inc"
// in terms of these
#include "kernels/cpu/x86/dot_pairs.inc"
// and products in terms of both
#include "kernels/cpu/portable/tiled_blocks.inc"
#include "kernels/cpu/portable/tiled_products.inc"
constexpr auto kQuantizeGroups = avx2_quantize_groups;
constexpr auto kBf16Product = float_product<true>;
constexpr bool kBf16Inputs = false;
constexpr auto kInt8Product = int8_product;
constexpr auto kBlockProducts = block_products;
// last, since it names all of them
#include "kernels/cpu/portable/table.inc"

}  // namespace

const KernelTable& avx2_table() {
  static const KernelTable table = table_of("avx2");
  return table;
}

}  // namespace unmask::cpu
