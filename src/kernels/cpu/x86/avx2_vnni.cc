// The kernels compiled for AVX2, FMA and AVX-VNNI.
#include <immintrin.h>

#include "kernels/cpu/x86/tables.h"

namespace unmask::cpu {
namespace {

#include "kernels/cpu/x86/avx2_vnni.inc"

}  // namespace

const KernelTable& avx2_vnni_table() {
  static const KernelTable table = table_of("avx2_vnni");
  return table;
}

}  // namespace unmask::cpu
