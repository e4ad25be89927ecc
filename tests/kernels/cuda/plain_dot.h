#pragma once

#include "core/dtype.h"

namespace unmask::cuda {

/// Sum of the products of `n` pairs, one after the other, in float.
inline float plain_dot(const Bf16* a, const Bf16* b, int n) {
  float sum = 0;
  for (int i = 0; i < n; ++i) sum += bf16_to_f32(a[i]) * bf16_to_f32(b[i]);
  return sum;
}

}  // namespace unmask::cuda
