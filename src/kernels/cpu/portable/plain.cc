// The kernels compiled for what every processor of x86-64 or ARM64 has.
#include "kernels/cpu/table.h"

namespace unmask::cpu {
namespace {

constexpr int kVecBytes = 16;
constexpr int kQueryRows = 4;
#include "kernels/cpu/portable/base.inc"

// What 16 registers hold, and 32 or 64 KiB of weights.
constexpr int kFloatRows = 4;
constexpr int kFloatVectors = 2;
constexpr int kFloatBlock = 128;  // pairs
#include "kernels/cpu/portable/product_float.inc"
// plain loops where others have instructions
#include "kernels/cpu/portable/products.inc"
// those of blocks, too
#include "kernels/cpu/portable/product_blocks.inc"
constexpr auto kQuantizeGroups = plain_quantize_groups;
constexpr auto kBf16Product = float_product<true>;
constexpr bool kBf16Inputs = false;
constexpr auto kInt8Product = portable_int8_product;
constexpr auto kBlockProducts = portable_block_products;
// last, since it names all of them
#include "kernels/cpu/portable/table.inc"

}  // namespace

const KernelTable& plain_table() {
  static const KernelTable table = table_of("plain");
  return table;
}

}  // namespace unmask::cpu
