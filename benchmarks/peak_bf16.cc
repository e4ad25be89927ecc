// Compiled for AVX-512 with BF16.
#include <immintrin.h>

#include "peak.h"

namespace unmask::peak {

int64_t multiply_bf16(int64_t rounds) {
  constexpr int kChains = 16;  // more than the latency times the units
  __m512 sums[kChains] = {};
  const auto x = __builtin_bit_cast(__m512bh, _mm512_set1_epi16(0x3f00));
  for (__m512& sum : sums) asm volatile("" : "+v"(sum));  // or equal chains become one
  for (int64_t i = 0; i < rounds; ++i) {
    for (__m512& sum : sums) sum = _mm512_dpbf16_ps(sum, x, x);
  }
  for (__m512& sum : sums) asm volatile("" ::"v"(sum));
  return rounds * kChains * 32 * 2;
}

}  // namespace unmask::peak
