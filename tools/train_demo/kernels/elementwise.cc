// RMSNorm and SwiGLU with their gradients, for the training of the demo model on one thread; called
// from fastops.py. Matrices are row-major, their rows multiples of 16 elements.
#include <cmath>

#include "train_demo/kernels/bf16.h"

namespace unmask::train_demo {

namespace {

__m512 sigmoid(__m512 x) {
  const __m512 e = exp2_of(_mm512_mul_ps(x, _mm512_set1_ps(-kLog2E)));
  const __m512 one = _mm512_set1_ps(1);
  return _mm512_div_ps(one, _mm512_add_ps(one, e));
}

}  // namespace

extern "C" {

/// y = x / rms(x) * w for x [rows, dim]; scale [rows] is 1 / rms(x).
void rmsnorm_forward(const float* x, const float* w, int rows, int dim, float eps, Bf16* y,
                     float* scale) {
  for (int64_t row = 0; row < rows; ++row) {
    const float* a = x + row * dim;
    __m512 squares = _mm512_setzero_ps();
    for (int d = 0; d < dim; d += 16) {
      const __m512 v = _mm512_loadu_ps(a + d);
      squares = _mm512_fmadd_ps(v, v, squares);
    }
    scale[row] = 1 / std::sqrt(_mm512_reduce_add_ps(squares) / static_cast<float>(dim) + eps);
    const __m512 factor = _mm512_set1_ps(scale[row]);
    for (int d = 0; d < dim; d += 16) {
      store(y + row * dim + d,
            _mm512_mul_ps(_mm512_mul_ps(_mm512_loadu_ps(a + d), factor), _mm512_loadu_ps(w + d)));
    }
  }
}

/// dx [rows, dim]; dw [dim] must be zero.
void rmsnorm_backward(const Bf16* dy, const float* x, const float* w, const float* scale, int rows,
                      int dim, float* dx, float* dw) {
  for (int64_t row = 0; row < rows; ++row) {
    const float* a = x + row * dim;
    const Bf16* g = dy + row * dim;
    const __m512 factor = _mm512_set1_ps(scale[row]);
    __m512 sum = _mm512_setzero_ps();
    for (int d = 0; d < dim; d += 16) {
      const __m512 unit = _mm512_mul_ps(_mm512_loadu_ps(a + d), factor);
      const __m512 gradient = load(g + d);
      sum = _mm512_fmadd_ps(_mm512_mul_ps(gradient, _mm512_loadu_ps(w + d)), unit, sum);
      _mm512_storeu_ps(dw + d, _mm512_fmadd_ps(gradient, unit, _mm512_loadu_ps(dw + d)));
    }
    const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / static_cast<float>(dim));
    for (int d = 0; d < dim; d += 16) {
      const __m512 unit = _mm512_mul_ps(_mm512_loadu_ps(a + d), factor);
      const __m512 gradient = _mm512_mul_ps(load(g + d), _mm512_loadu_ps(w + d));
      _mm512_storeu_ps(dx + row * dim + d,
                       _mm512_mul_ps(factor, _mm512_fnmadd_ps(unit, mean, gradient)));
    }
  }
}

/// h [rows, dim] = silu(gate) * up for gate_up [rows, 2, dim].
void swiglu_forward(const Bf16* gate_up, int rows, int dim, Bf16* h) {
  for (int64_t row = 0; row < rows; ++row) {
    const Bf16* gate = gate_up + row * 2 * dim;
    for (int d = 0; d < dim; d += 16) {
      const __m512 a = load(gate + d);
      store(h + row * dim + d, _mm512_mul_ps(_mm512_mul_ps(a, sigmoid(a)), load(gate + dim + d)));
    }
  }
}

void swiglu_backward(const Bf16* dh, const Bf16* gate_up, int rows, int dim, Bf16* dgate_up) {
  const __m512 one = _mm512_set1_ps(1);
  for (int64_t row = 0; row < rows; ++row) {
    const Bf16* gate = gate_up + row * 2 * dim;
    Bf16* to = dgate_up + row * 2 * dim;
    for (int d = 0; d < dim; d += 16) {
      const __m512 a = load(gate + d);
      const __m512 s = sigmoid(a);
      const __m512 gradient = load(dh + row * dim + d);
      // The derivative of a s(a) is s (1 + a (1 - s)).
      const __m512 slope = _mm512_mul_ps(s, _mm512_fmadd_ps(a, _mm512_sub_ps(one, s), one));
      store(to + d, _mm512_mul_ps(_mm512_mul_ps(gradient, load(gate + dim + d)), slope));
      store(to + dim + d, _mm512_mul_ps(gradient, _mm512_mul_ps(a, s)));
    }
  }
}

}  // extern "C"

}  // namespace unmask::train_demo
