// The packing of int4 compiled for AVX-512: a file of its own, since it wants separate roundings.
#include "kernels/cpu/x86/tables.h"

namespace unmask::cpu {
namespace {

constexpr int kVecBytes = 64;
#include "kernels/cpu/portable/simd.h"
// after what it is written in terms of
#include "kernels/cpu/portable/int4.inc"

}  // namespace

void avx512_quantize_groups(const float* weights, int groups, uint8_t* codes, uint16_t* scales) {
  quantize_groups(weights, groups, codes, scales);
}

}  // namespace unmask::cpu
