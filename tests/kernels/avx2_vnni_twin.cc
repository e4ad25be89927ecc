// The kernels of AVX-VNNI in the encoding of AVX-512 VL: the same source and the same instructions,
// so that processors with the one and not the other test it.
#include <immintrin.h>

#include "kernels/cpu/table.h"

namespace unmask {
namespace cpu {
namespace {

#include "kernels/cpu/x86/avx2_vnni.inc"

}  // namespace
}  // namespace cpu

namespace testing {

const cpu::KernelTable& avx2_vnni_twin() {
  static const cpu::KernelTable table = cpu::table_of("avx2_vnni in AVX-512's encoding");
  return table;
}

}  // namespace testing
}  // namespace unmask
