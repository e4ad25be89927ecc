// Products of int8 and bfloat16 with AMX; everything else is that of avx512_bf16, which every
// processor with AMX has.
#include <immintrin.h>

#include "kernels/cpu/x86/tables.h"

namespace unmask::cpu {
namespace {

// registers for what tiles leave
#include "kernels/cpu/x86/begin_512.inc"
// tiles
#include "kernels/cpu/x86/tiles_amx.inc"
// and products in terms of both
#include "kernels/cpu/x86/product_tiles.inc"

}  // namespace

const KernelTable& amx_table() {
  static const KernelTable table = table_with_tiles("amx");
  return table;
}

}  // namespace unmask::cpu
