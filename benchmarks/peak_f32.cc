// Compiled for AVX-512.
#include <immintrin.h>

#include "peak.h"

namespace unmask::peak {

int64_t multiply_f32(int64_t rounds) {
  constexpr int kChains = 12;  // more than the latency times the units
  __m512 sums[kChains] = {};
  const __m512 x = _mm512_set1_ps(0.5F);
  for (__m512& sum : sums) asm volatile("" : "+v"(sum));  // or equal chains become one
  for (int64_t i = 0; i < rounds; ++i) {
    for (__m512& sum : sums) sum = sum * x + x;
  }
  for (__m512& sum : sums) asm volatile("" ::"v"(sum));
  return rounds * kChains * 16 * 2;
}

}  // namespace unmask::peak
