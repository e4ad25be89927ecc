// Small matrix products in bfloat16 with float32 sums, on operands packed for them.
#pragma once

#include <cstring>

#include "train_demo/kernels/bf16.h"

namespace unmask::train_demo {

constexpr int kHead = 64;       // elements of an attention head
constexpr int kHalf = 32;       // rotary pairs of a head: element i turns with element i + 32
constexpr int kQueryTile = 64;  // queries whose scores are held at once in the backward pass

/// Four rows of 64 sums, in registers.
struct Accumulators {
  __m512 c[4][4];

  void load_from(const float* p, int stride) {
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < 4; ++j) c[i][j] = _mm512_loadu_ps(p + i * stride + j * 16);
    }
  }
  void clear() {
    for (auto& row : c) {
      for (auto& x : row) x = _mm512_setzero_ps();
    }
  }
  /// Adds the products of one pair of inner indices: `pairs[i]` of row i with 64 pairs at `b`.
  void add(const int (&pairs)[4], const Bf16* b) {
    __m512bh right[4];
    for (int j = 0; j < 4; ++j) {
      right[j] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b + j * 32));
    }
    for (int i = 0; i < 4; ++i) {
      const auto left = reinterpret_cast<__m512bh>(_mm512_set1_epi32(pairs[i]));
      for (int j = 0; j < 4; ++j) c[i][j] = _mm512_dpbf16_ps(c[i][j], left, right[j]);
    }
  }
  void store_to(float* p, int stride) const {
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < 4; ++j) _mm512_storeu_ps(p + i * stride + j * 16, c[i][j]);
    }
  }
};

/// c[4, 64] = a[4, 2 * pairs] b, or += ; b is packed as [pairs, 64, 2].
template <bool kAdd>
void multiply(const Bf16* a, int a_stride, const Bf16* b, int pairs, float* c, int c_stride) {
  Accumulators sum;
  if (kAdd) {
    sum.load_from(c, c_stride);
  } else {
    sum.clear();
  }
  for (int p = 0; p < pairs; ++p) {
    int left[4];
    for (int i = 0; i < 4; ++i) std::memcpy(&left[i], a + i * a_stride + 2 * p, sizeof(int));
    sum.add(left, b + p * 2 * kHead);
  }
  sum.store_to(c, c_stride);
}

/// c[4, 64] += a' b for a [2 * 32, 4], packed as [32, stride, 2], and b [2 * 32, 64], packed as
/// [32, 64, 2].
inline void multiply_transposed(const int* a, int stride, const Bf16* b, float* c) {
  Accumulators sum;
  sum.load_from(c, kHead);
  for (int p = 0; p < kQueryTile / 2; ++p) {
    int left[4];
    std::memcpy(left, a + p * stride, sizeof(left));
    sum.add(left, b + p * 2 * kHead);
  }
  sum.store_to(c, kHead);
}

/// Rows [n, 64] to [n / 64, 32, 64, 2]: for products over the elements of a head.
inline void pack_elements(const Bf16* rows, int n, Bf16* packed) {
  for (int t = 0; t < n; ++t) {
    Bf16* out = packed + (t / 64) * 64 * kHead + (t % 64) * 2;
    for (int p = 0; p < kHalf; ++p) {
      std::memcpy(out + p * 2 * kHead, rows + t * kHead + 2 * p, 2 * sizeof(Bf16));
    }
  }
}

/// Rows [n, 64] to [n / 2, 64, 2]: for products over the rows.
inline void pack_rows(const Bf16* rows, int n, Bf16* packed) {
  for (int t = 0; t < n; t += 2) {
    const Bf16* first = rows + t * kHead;
    for (int d = 0; d < kHead; d += 16) {
      const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first + d));
      const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first + kHead + d));
      _mm512_storeu_si512(packed + t * kHead + 2 * d, paired(a, b));
    }
  }
}

}  // namespace unmask::train_demo
