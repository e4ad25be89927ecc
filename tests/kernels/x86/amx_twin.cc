// The products with AMX over tiles in memory, as Intel's manual describes the instructions
// (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2): the same source, so
// that processors without AMX test it.
#include "kernels/x86/amx_twin.h"

#include <immintrin.h>

#include "kernels/cpu/x86/tables.h"

namespace unmask::cpu {
namespace {

// registers for what tiles leave
#include "kernels/cpu/x86/begin_512.inc"
// tiles in memory
#include "kernels/x86/emulated_tiles.inc"
// and products in terms of both
#include "kernels/cpu/x86/product_tiles.inc"

}  // namespace

const KernelTable& amx_twin() {
  static const KernelTable table = table_with_tiles("amx on emulated tiles");
  return table;
}

}  // namespace unmask::cpu
