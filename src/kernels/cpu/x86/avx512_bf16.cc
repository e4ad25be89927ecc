// The kernels compiled for AVX-512 with BF16 and VNNI.
#include <immintrin.h>

#include "kernels/cpu/x86/tables.h"

namespace unmask::cpu {
namespace {

constexpr int kVecBytes = 64;
constexpr int kQueryRows = 8;
#include "kernels/cpu/portable/base.inc"

// Tiles: what 32 registers hold. Depth blocks: 128 KiB of weights stay in L2 for all tiles.
constexpr int kFloatRows = 6;
constexpr int kFloatVectors = 4;
constexpr int kFloatBlock = 128;  // pairs
constexpr int kInt8Rows = 6;
constexpr int kInt8Vectors = 4;
constexpr int kInt8Block = 512;  // quads
constexpr int kBlockRows = 6;
constexpr int kBf16Rows = 6;
constexpr int kBf16Vectors = 4;
constexpr int kBf16Block = 512;  // pairs
#include "kernels/cpu/portable/product_float.inc"
#include "kernels/cpu/x86/registers_512.inc"
// in terms of these
#include "kernels/cpu/x86/dot_vnni.inc"
// and for bfloat16
#include "kernels/cpu/x86/dot_bf16.inc"
// products in terms of all of them
#include "kernels/cpu/portable/tiled_blocks.inc"
#include "kernels/cpu/portable/tiled_products.inc"
// and those of bfloat16
#include "kernels/cpu/portable/tiled_bf16.inc"
constexpr auto kQuantizeGroups = avx512_quantize_groups;
constexpr auto kBf16Product = bf16_product;
constexpr bool kBf16Inputs = true;
constexpr auto kInt8Product = int8_product;
constexpr auto kBlockProducts = block_products;

namespace bf16 {
#include "kernels/cpu/x86/bf16.inc"
// after what it is written in terms of
#include "kernels/cpu/x86/attention_bf16.inc"
}  // namespace bf16
// last, since it names all of them
#include "kernels/cpu/portable/table.inc"

}  // namespace

const KernelTable& avx512_bf16_table() {
  static const AttentionKernels bf16_attention = bf16::attention_kernels();
  static const KernelTable table = table_of("avx512_bf16", &bf16_attention);
  return table;
}

}  // namespace unmask::cpu
