// Products of int8 and bfloat16 with AMX; everything else is that of avx512_bf16, which every
// processor with AMX has.
#include <immintrin.h>

#include "kernels/cpu/x86/tables.h"

namespace unmask::cpu {
namespace {

constexpr int kVecBytes = 64;
constexpr int kQueryRows = 8;
#include "kernels/cpu/portable/base.inc"
// registers for what tiles leave
#include "kernels/cpu/x86/registers_512.inc"
// and products in terms of tiles
#include "kernels/cpu/x86/tiles_amx.inc"
// which are these
#include "kernels/cpu/x86/product_tiles.inc"

}  // namespace

const KernelTable& amx_table() {
  static const KernelTable table = [] {
    KernelTable amx = avx512_bf16_table();
    amx.name = "amx";
    amx.int8_product = int8_product;
    amx.bf16_product = bf16_product;
    return amx;
  }();
  return table;
}

}  // namespace unmask::cpu
