// Sixteen numbers at a time on AVX512-BF16, for the kernels that train the demo model. "Bf16" is
// the upper half of a float.
#pragma once

#include <cstdint>
#include <immintrin.h>
#include <initializer_list>

namespace unmask::train_demo {

using Bf16 = uint16_t;

constexpr float kLog2E = 1.4426950408889634F;
constexpr float kLn2 = 0.6931471805599453F;

inline __m512 load(const Bf16* p) {
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

inline __m256i rounded(__m512 x) { return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x)); }

inline void store(Bf16* p, __m512 x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), rounded(x));
}

/// Two rows of bf16 side by side: the low halves from `a`, the high halves from `b`.
inline __m512i paired(__m256i a, __m256i b) {
  return _mm512_or_si512(_mm512_cvtepu16_epi32(a), _mm512_slli_epi32(_mm512_cvtepu16_epi32(b), 16));
}

/// 2 to the power x, by a polynomial of degree 5 on [-0.5, 0.5]; relative error below 3e-6.
inline __m512 exp2_of(__m512 x) {
  x = _mm512_max_ps(x, _mm512_set1_ps(-126.F));
  const __m512 whole = _mm512_roundscale_ps(x, 0);
  const __m512 rest = _mm512_sub_ps(x, whole);
  __m512 p = _mm512_set1_ps(1.3333558e-3F);
  for (const float c : {9.6181291e-3F, 5.5504109e-2F, 2.4022651e-1F, 6.9314718e-1F, 1.F}) {
    p = _mm512_fmadd_ps(p, rest, _mm512_set1_ps(c));
  }
  return _mm512_scalef_ps(p, whole);
}

}  // namespace unmask::train_demo
