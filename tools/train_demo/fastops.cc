// Kernels for training the demo model on a CPU with AVX512-BF16, called from fastops.py: rotary
// embedding and bidirectional attention in one pass (forward, and backward that recomputes the
// weights, as in arXiv:2205.14135), RMSNorm and SwiGLU. One thread; heads of 64; rows of keys and
// of queries come in multiples of 64. Matrices are row-major; "bf16" is the upper half of a float.
#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

using Bf16 = uint16_t;

constexpr int kHead = 64;       // elements of a head
constexpr int kHalf = 32;       // rotary pairs of a head: element i turns with element i + 32
constexpr int kQueryTile = 64;  // queries whose scores are held at once
constexpr int kKeyTile = 256;   // keys whose scores are held at once in the backward pass
constexpr float kLog2E = 1.4426950408889634F;
constexpr float kLn2 = 0.6931471805599453F;
constexpr float kScale = 0.125F;  // 1 / sqrt(kHead)

__m512 load(const Bf16* p) {
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

__m256i rounded(__m512 x) { return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x)); }

void store(Bf16* p, __m512 x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), rounded(x));
}

/// Two rows of bf16 side by side: the low halves from `a`, the high halves from `b`.
__m512i paired(__m256i a, __m256i b) {
  return _mm512_or_si512(_mm512_cvtepu16_epi32(a),
                         _mm512_slli_epi32(_mm512_cvtepu16_epi32(b), 16));
}

/// 2 to the power x, by a polynomial of degree 5 on [-0.5, 0.5]; relative error below 3e-6.
__m512 exp2_of(__m512 x) {
  x = _mm512_max_ps(x, _mm512_set1_ps(-126.F));
  const __m512 whole = _mm512_roundscale_ps(x, 0);
  const __m512 rest = _mm512_sub_ps(x, whole);
  __m512 p = _mm512_set1_ps(1.3333558e-3F);
  for (const float c : {9.6181291e-3F, 5.5504109e-2F, 2.4022651e-1F, 6.9314718e-1F, 1.F}) {
    p = _mm512_fmadd_ps(p, rest, _mm512_set1_ps(c));
  }
  return _mm512_scalef_ps(p, whole);
}

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

/// c[4, 64] += transposed a[2 * 32, 4] b[2 * 32, 64]; a is packed as [32, stride, 2], b as [32, 64, 2].
void multiply_transposed(const int* a, int stride, const Bf16* b, float* c) {
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
void pack_elements(const Bf16* rows, int n, Bf16* packed) {
  for (int t = 0; t < n; ++t) {
    Bf16* out = packed + (t / 64) * 64 * kHead + (t % 64) * 2;
    for (int p = 0; p < kHalf; ++p) {
      std::memcpy(out + p * 2 * kHead, rows + t * kHead + 2 * p, 2 * sizeof(Bf16));
    }
  }
}

/// Rows [n, 64] to [n / 2, 64, 2]: for products over the rows.
void pack_rows(const Bf16* rows, int n, Bf16* packed) {
  for (int t = 0; t < n; t += 2) {
    const Bf16* first = rows + t * kHead;
    for (int d = 0; d < kHead; d += 16) {
      const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first + d));
      const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first + kHead + d));
      _mm512_storeu_si512(packed + t * kHead + 2 * d, paired(a, b));
    }
  }
}

void copy_rows(const Bf16* from, int stride, int n, Bf16* to) {
  for (int t = 0; t < n; ++t) {
    std::memcpy(to + t * kHead, from + static_cast<int64_t>(t) * stride, kHead * sizeof(Bf16));
  }
}

struct Angles {
  const float* cos;  // [rows, 32]
  const float* sin;
};

/// Rows [n, 64], turned by their angles and scaled.
void turn_rows(const Bf16* from, int stride, int n, Angles angles, float scale, Bf16* to) {
  const __m512 factor = _mm512_set1_ps(scale);
  for (int t = 0; t < n; ++t) {
    const Bf16* x = from + static_cast<int64_t>(t) * stride;
    for (int d = 0; d < kHalf; d += 16) {
      const __m512 a = load(x + d);
      const __m512 b = load(x + kHalf + d);
      const __m512 c = _mm512_loadu_ps(angles.cos + t * kHalf + d);
      const __m512 s = _mm512_loadu_ps(angles.sin + t * kHalf + d);
      const __m512 low = _mm512_fmsub_ps(a, c, _mm512_mul_ps(b, s));
      const __m512 high = _mm512_fmadd_ps(b, c, _mm512_mul_ps(a, s));
      store(to + t * kHead + d, _mm512_mul_ps(low, factor));
      store(to + t * kHead + kHalf + d, _mm512_mul_ps(high, factor));
    }
  }
}

/// The gradient of turn_rows: turned back and scaled.
void turn_back(const float* from, int n, Angles angles, float scale, Bf16* to, int stride) {
  const __m512 factor = _mm512_set1_ps(scale);
  for (int t = 0; t < n; ++t) {
    Bf16* x = to + static_cast<int64_t>(t) * stride;
    for (int d = 0; d < kHalf; d += 16) {
      const __m512 a = _mm512_loadu_ps(from + t * kHead + d);
      const __m512 b = _mm512_loadu_ps(from + t * kHead + kHalf + d);
      const __m512 c = _mm512_loadu_ps(angles.cos + t * kHalf + d);
      const __m512 s = _mm512_loadu_ps(angles.sin + t * kHalf + d);
      store(x + d, _mm512_mul_ps(_mm512_fmadd_ps(a, c, _mm512_mul_ps(b, s)), factor));
      store(x + kHalf + d, _mm512_mul_ps(_mm512_fmsub_ps(b, c, _mm512_mul_ps(a, s)), factor));
    }
  }
}

float dot(const Bf16* a, const Bf16* b) {
  __m512 sum = _mm512_setzero_ps();
  for (int d = 0; d < kHead; d += 16) sum = _mm512_fmadd_ps(load(a + d), load(b + d), sum);
  return _mm512_reduce_add_ps(sum);
}

/// Weights of one query: p = 2^(scores - max), and the base-2 logarithm of the sum of 2^scores.
float soften(const float* scores, int n, Bf16* p, float& sum) {
  __m512 most = _mm512_loadu_ps(scores);
  for (int j = 16; j < n; j += 16) most = _mm512_max_ps(most, _mm512_loadu_ps(scores + j));
  const float top = _mm512_reduce_max_ps(most);
  __m512 total = _mm512_setzero_ps();
  for (int j = 0; j < n; j += 16) {
    const __m512 e = exp2_of(_mm512_sub_ps(_mm512_loadu_ps(scores + j), _mm512_set1_ps(top)));
    total = _mm512_add_ps(total, e);
    store(p + j, e);
  }
  sum = _mm512_reduce_add_ps(total);
  return top + std::log2(sum);
}

using Rows = std::vector<Bf16>;

size_t size_of(int rows) { return static_cast<size_t>(rows) * kHead; }

}  // namespace

/// The queries are the last `queries` of `keys` positions.
struct AttentionShape {
  int batch, queries, keys, heads;
  int angles_per_example;  // whether cos and sin are [batch, keys, 32] rather than [keys, 32]
};

struct AttentionInputs {
  const Bf16* q;     // [batch, queries, heads * 64]
  const Bf16* kv;    // [batch, keys, 2, heads * 64]
  const float* cos;  // [(batch,) keys, 32]
  const float* sin;
};

namespace {

/// What one head of one example reads, in place.
struct Head {
  Head(const AttentionShape& s, const AttentionInputs& in, int b, int h)
      : width(s.heads * kHead),
        q_offset(static_cast<int64_t>(b) * s.queries * width + h * kHead),
        kv_offset(static_cast<int64_t>(b) * s.keys * 2 * width + h * kHead),
        q(in.q + q_offset),
        k(in.kv + kv_offset),
        v(k + width) {
    const int64_t first = s.angles_per_example ? static_cast<int64_t>(b) * s.keys * kHalf : 0;
    const int64_t tail = static_cast<int64_t>(s.keys - s.queries) * kHalf;
    k_angles = {in.cos + first, in.sin + first};
    q_angles = {in.cos + first + tail, in.sin + first + tail};
  }
  int width;  // of a row of queries; rows of keys have twice as many elements
  int64_t q_offset, kv_offset;
  const Bf16 *q, *k, *v;
  Angles k_angles, q_angles;
};

void forward_head(const AttentionShape& s, const Head& head, Bf16* out, float* lse) {
  Rows q(size_of(s.queries)), rows(size_of(s.keys)), k(size_of(s.keys)), v(size_of(s.keys));
  turn_rows(head.q, head.width, s.queries, head.q_angles, kScale * kLog2E, q.data());
  turn_rows(head.k, 2 * head.width, s.keys, head.k_angles, 1, rows.data());
  pack_elements(rows.data(), s.keys, k.data());
  copy_rows(head.v, 2 * head.width, s.keys, rows.data());
  pack_rows(rows.data(), s.keys, v.data());
  constexpr int kTile = 32;  // queries; their scores stay in the second-level cache
  std::vector<float> scores(static_cast<size_t>(kTile) * s.keys);
  Rows p(scores.size());
  for (int i0 = 0; i0 < s.queries; i0 += kTile) {
    for (int j = 0; j < s.keys; j += 64) {
      for (int i = 0; i < kTile; i += 4) {
        multiply<false>(&q[size_of(i0 + i)], kHead, &k[size_of(j)], kHalf,
                        &scores[static_cast<size_t>(i) * s.keys + j], s.keys);
      }
    }
    for (int i = 0; i < kTile; i += 4) {
      float sums[4];
      float sum[4 * kHead];
      for (int r = 0; r < 4; ++r) {
        const size_t row = static_cast<size_t>(i + r) * s.keys;
        lse[i0 + i + r] = soften(&scores[row], s.keys, &p[row], sums[r]);
      }
      multiply<false>(&p[static_cast<size_t>(i) * s.keys], s.keys, v.data(), s.keys / 2, sum,
                      kHead);
      for (int r = 0; r < 4; ++r) {
        Bf16* to = out + static_cast<int64_t>(i0 + i + r) * head.width;
        const __m512 share = _mm512_set1_ps(1 / sums[r]);
        for (int d = 0; d < kHead; d += 16) {
          store(to + d, _mm512_mul_ps(_mm512_loadu_ps(sum + r * kHead + d), share));
        }
      }
    }
  }
}

/// Gradients of the scores of a tile, from the scores and the gradients of the weights, both
/// [64, kKeyTile]. Weights and gradients of two queries lie in pairs for multiply_transposed.
struct ScoreGradients {
  std::vector<float> scores = std::vector<float>(static_cast<size_t>(kQueryTile) * kKeyTile);
  std::vector<float> weights = scores;
  Rows rows = Rows(static_cast<size_t>(kQueryTile) * kKeyTile);
  std::vector<int> weight_pairs = std::vector<int>(rows.size() / 2);
  std::vector<int> gradient_pairs = weight_pairs;

  void compute(int keys, const float* lse, const float* delta) {
    for (int i = 0; i < kQueryTile; i += 2) {
      for (int j = 0; j < keys; j += 16) {
        __m256i p[2];
        __m256i g[2];
        for (int r = 0; r < 2; ++r) {
          const size_t at = static_cast<size_t>(i + r) * kKeyTile + j;
          const __m512 weight = exp2_of(
              _mm512_sub_ps(_mm512_loadu_ps(&scores[at]), _mm512_set1_ps(lse[i + r])));
          const __m512 change =
              _mm512_sub_ps(_mm512_loadu_ps(&weights[at]), _mm512_set1_ps(delta[i + r]));
          p[r] = rounded(weight);
          g[r] = rounded(_mm512_mul_ps(weight, change));
          _mm256_storeu_si256(reinterpret_cast<__m256i*>(&rows[at]), g[r]);
        }
        const size_t at = static_cast<size_t>(i / 2) * kKeyTile + j;
        _mm512_storeu_si512(&weight_pairs[at], paired(p[0], p[1]));
        _mm512_storeu_si512(&gradient_pairs[at], paired(g[0], g[1]));
      }
    }
  }
};

struct HeadGradients {
  Bf16 *dq, *dk, *dv;  // strides as those of q and kv
};

void backward_head(const AttentionShape& s, const Head& head, const Bf16* out, const Bf16* dout,
                   const float* lse, HeadGradients to) {
  const size_t nq = size_of(s.queries);
  const size_t nk = size_of(s.keys);
  Rows q(nq), q_pairs(nq), g(nq), g_pairs(nq), rows(nk), k(nk), k_pairs(nk), v(nk);
  turn_rows(head.q, head.width, s.queries, head.q_angles, kScale * kLog2E, q.data());
  pack_rows(q.data(), s.queries, q_pairs.data());
  copy_rows(dout, head.width, s.queries, g.data());
  pack_rows(g.data(), s.queries, g_pairs.data());
  turn_rows(head.k, 2 * head.width, s.keys, head.k_angles, 1, rows.data());
  pack_elements(rows.data(), s.keys, k.data());
  pack_rows(rows.data(), s.keys, k_pairs.data());
  copy_rows(head.v, 2 * head.width, s.keys, rows.data());
  pack_elements(rows.data(), s.keys, v.data());
  std::vector<float> delta(static_cast<size_t>(s.queries));
  for (int t = 0; t < s.queries; ++t) {
    delta[t] = dot(out + static_cast<int64_t>(t) * head.width, &g[size_of(t)]);
  }
  std::vector<float> dq(nq), dk(nk), dv(nk);
  ScoreGradients tile;
  for (int i0 = 0; i0 < s.queries; i0 += kQueryTile) {
    for (int j0 = 0; j0 < s.keys; j0 += kKeyTile) {
      const int n = std::min(kKeyTile, s.keys - j0);
      for (int j = 0; j < n; j += 64) {
        for (int i = 0; i < kQueryTile; i += 4) {
          const size_t at = static_cast<size_t>(i) * kKeyTile + j;
          multiply<false>(&q[size_of(i0 + i)], kHead, &k[size_of(j0 + j)], kHalf,
                          &tile.scores[at], kKeyTile);
          multiply<false>(&g[size_of(i0 + i)], kHead, &v[size_of(j0 + j)], kHalf,
                          &tile.weights[at], kKeyTile);
        }
      }
      tile.compute(n, lse + i0, &delta[i0]);
      for (int i = 0; i < kQueryTile; i += 4) {
        multiply<true>(&tile.rows[static_cast<size_t>(i) * kKeyTile], kKeyTile,
                       &k_pairs[size_of(j0)], n / 2, &dq[size_of(i0 + i)], kHead);
      }
      for (int j = 0; j < n; j += 4) {
        multiply_transposed(&tile.weight_pairs[j], kKeyTile, &g_pairs[size_of(i0)],
                            &dv[size_of(j0 + j)]);
        multiply_transposed(&tile.gradient_pairs[j], kKeyTile, &q_pairs[size_of(i0)],
                            &dk[size_of(j0 + j)]);
      }
    }
  }
  turn_back(dq.data(), s.queries, head.q_angles, kScale, to.dq, head.width);
  turn_back(dk.data(), s.keys, head.k_angles, kLn2, to.dk, 2 * head.width);
  for (int t = 0; t < s.keys; ++t) {
    for (int d = 0; d < kHead; d += 16) {
      store(to.dv + static_cast<int64_t>(t) * 2 * head.width + d,
            _mm512_loadu_ps(&dv[size_of(t) + d]));
    }
  }
}

__m512 sigmoid(__m512 x) {
  const __m512 e = exp2_of(_mm512_mul_ps(x, _mm512_set1_ps(-kLog2E)));
  const __m512 one = _mm512_set1_ps(1);
  return _mm512_div_ps(one, _mm512_add_ps(one, e));
}

}  // namespace

extern "C" {

/// out [batch, queries, heads * 64]; lse [batch, heads, queries], base 2, for the backward pass.
void attention_forward(const AttentionShape* shape, const AttentionInputs* in, Bf16* out,
                       float* lse) {
  for (int b = 0; b < shape->batch; ++b) {
    for (int h = 0; h < shape->heads; ++h) {
      const Head head(*shape, *in, b, h);
      forward_head(*shape, head, out + head.q_offset,
                   lse + static_cast<int64_t>(b * shape->heads + h) * shape->queries);
    }
  }
}

/// dq and dkv have the shapes of q and kv.
void attention_backward(const AttentionShape* shape, const AttentionInputs* in, const Bf16* out,
                        const Bf16* dout, const float* lse, Bf16* dq, Bf16* dkv) {
  for (int b = 0; b < shape->batch; ++b) {
    for (int h = 0; h < shape->heads; ++h) {
      const Head head(*shape, *in, b, h);
      Bf16* dk = dkv + head.kv_offset;
      backward_head(*shape, head, out + head.q_offset, dout + head.q_offset,
                    lse + static_cast<int64_t>(b * shape->heads + h) * shape->queries,
                    {dq + head.q_offset, dk, dk + head.width});
    }
  }
}

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
      store(y + row * dim + d, _mm512_mul_ps(_mm512_mul_ps(_mm512_loadu_ps(a + d), factor),
                                             _mm512_loadu_ps(w + d)));
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
      store(h + row * dim + d,
            _mm512_mul_ps(_mm512_mul_ps(a, sigmoid(a)), load(gate + dim + d)));
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
