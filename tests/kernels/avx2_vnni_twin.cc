// The kernels of AVX-VNNI in the encoding of AVX-512 VL: the same source and the same instructions,
// so that processors with the one and not the other test it.
#include <immintrin.h>

#include "kernels/cpu/table.h"

namespace unmask::testing {
namespace {

using namespace cpu;
#include "kernels/cpu/x86/avx2_vnni.inc"

}  // namespace

const cpu::KernelTable& avx2_vnni_twin() {
  static const cpu::KernelTable table = table_of("avx2_vnni in AVX-512's encoding");
  return table;
}

}  // namespace unmask::testing
