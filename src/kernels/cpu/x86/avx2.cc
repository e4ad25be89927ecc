// The kernels compiled for AVX2 and FMA.
#include "kernels/cpu/table.h"

namespace unmask::cpu {
namespace {

constexpr int kVecBytes = 32;
#include "kernels/cpu/portable/simd.h"
// order matters: the kernels are written in terms of simd.h
#include "kernels/cpu/portable/attention.inc"
#include "kernels/cpu/portable/rows.inc"
// products finish their rows with those
#include "kernels/cpu/portable/products.inc"
// those of blocks, too
#include "kernels/cpu/portable/product_blocks.inc"
constexpr auto kQuantizeGroups = avx2_quantize_groups;
constexpr auto kBf16Product = nullptr;
constexpr auto kInt8Product = portable_int8_product;
constexpr auto kBlockProducts = portable_block_products;
// last, since it names all of them
#include "kernels/cpu/portable/table.inc"

}  // namespace

const KernelTable& avx2_table() {
  static const KernelTable table = table_of("avx2");
  return table;
}

}  // namespace unmask::cpu
