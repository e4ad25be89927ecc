// The kernels of AVX-VNNI in the encoding of AVX-512 VL: the same source and the same instructions,
// so that processors with the one and not the other test it.
#include "kernels/x86/avx2_vnni_twin.h"

#include <immintrin.h>

#include "kernels/cpu/x86/tables.h"

namespace unmask::cpu {
namespace {

#include "kernels/cpu/x86/avx2_vnni.inc"

}  // namespace

const KernelTable& avx2_vnni_twin() {
  static const KernelTable table = table_of("avx2_vnni in AVX-512's encoding");
  return table;
}

}  // namespace unmask::cpu
