// Rotary embedding and bidirectional attention in one pass, with a backward pass that computes the
// weights again (arXiv:2205.14135), for the training of the demo model on one thread; called from
// fastops.py. Heads have 64 elements; rows of queries and of keys come in multiples of 64.
#include <algorithm>
#include <cmath>
#include <vector>

#include "train_demo/kernels/products.h"

namespace unmask::train_demo {

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

constexpr int kKeyTile = 256;     // keys whose scores are held at once in the backward pass
constexpr float kScale = 0.125F;  // 1 / sqrt(kHead)

using Rows = std::vector<Bf16>;

size_t size_of(int rows) { return static_cast<size_t>(rows) * kHead; }

struct Angles {
  const float* cos;  // [rows, 32]
  const float* sin;
};

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

  int width;  // of a row of queries; rows of keys and values are twice as far apart
  int64_t q_offset, kv_offset;
  const Bf16 *q, *k, *v;
  Angles k_angles, q_angles;
};

Rows copied(const Bf16* from, int stride, int n) {
  Rows rows(size_of(n));
  for (int t = 0; t < n; ++t) {
    std::memcpy(&rows[size_of(t)], from + static_cast<int64_t>(t) * stride, kHead * sizeof(Bf16));
  }
  return rows;
}

/// Rows turned by their angles and scaled.
Rows turned(const Bf16* from, int stride, int n, Angles angles, float scale) {
  Rows rows(size_of(n));
  const __m512 factor = _mm512_set1_ps(scale);
  for (int t = 0; t < n; ++t) {
    const Bf16* x = from + static_cast<int64_t>(t) * stride;
    Bf16* to = &rows[size_of(t)];
    for (int d = 0; d < kHalf; d += 16) {
      const __m512 a = load(x + d);
      const __m512 b = load(x + kHalf + d);
      const __m512 c = _mm512_loadu_ps(angles.cos + t * kHalf + d);
      const __m512 s = _mm512_loadu_ps(angles.sin + t * kHalf + d);
      store(to + d, _mm512_mul_ps(_mm512_fmsub_ps(a, c, _mm512_mul_ps(b, s)), factor));
      store(to + kHalf + d, _mm512_mul_ps(_mm512_fmadd_ps(b, c, _mm512_mul_ps(a, s)), factor));
    }
  }
  return rows;
}

/// The gradient of `turned`: turned back and scaled.
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

Rows packed(void (*pack)(const Bf16*, int, Bf16*), const Rows& rows) {
  Rows out(rows.size());
  pack(rows.data(), static_cast<int>(rows.size() / kHead), out.data());
  return out;
}

float dot(const Bf16* a, const Bf16* b) {
  __m512 sum = _mm512_setzero_ps();
  for (int d = 0; d < kHead; d += 16) sum = _mm512_fmadd_ps(load(a + d), load(b + d), sum);
  return _mm512_reduce_add_ps(sum);
}

/// Weights of one query, p = 2^(scores - max) and their sum; returns the base-2 logarithm of the
/// sum of 2^scores.
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

void forward_head(const AttentionShape& s, const Head& head, Bf16* out, float* lse) {
  constexpr int kTile = 32;  // queries; their scores stay in the second-level cache
  const Rows q = turned(head.q, head.width, s.queries, head.q_angles, kScale * kLog2E);
  const Rows k = packed(pack_elements, turned(head.k, 2 * head.width, s.keys, head.k_angles, 1));
  const Rows v = packed(pack_rows, copied(head.v, 2 * head.width, s.keys));
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
      float products[4 * kHead];
      for (int r = 0; r < 4; ++r) {
        const size_t row = static_cast<size_t>(i + r) * s.keys;
        lse[i0 + i + r] = soften(&scores[row], s.keys, &p[row], sums[r]);
      }
      multiply<false>(&p[static_cast<size_t>(i) * s.keys], s.keys, v.data(), s.keys / 2, products,
                      kHead);
      for (int r = 0; r < 4; ++r) {
        Bf16* to = out + static_cast<int64_t>(i0 + i + r) * head.width;
        const __m512 share = _mm512_set1_ps(1 / sums[r]);
        for (int d = 0; d < kHead; d += 16) {
          store(to + d, _mm512_mul_ps(_mm512_loadu_ps(products + r * kHead + d), share));
        }
      }
    }
  }
}

/// One tile of scores and of the gradients of the weights, both [64, kKeyTile], and the gradients
/// of the scores. For multiply_transposed, two queries lie side by side.
struct Tile {
  std::vector<float> scores = std::vector<float>(static_cast<size_t>(kQueryTile) * kKeyTile);
  std::vector<float> weights = scores;
  Rows gradients = Rows(static_cast<size_t>(kQueryTile) * kKeyTile);
  std::vector<int> weight_pairs = std::vector<int>(gradients.size() / 2);
  std::vector<int> gradient_pairs = weight_pairs;

  /// `lse` and `delta` belong to the queries; delta is the product of the output and its gradient.
  void differentiate(int keys, const float* lse, const float* delta) {
    for (int i = 0; i < kQueryTile; i += 2) {
      for (int j = 0; j < keys; j += 16) {
        __m256i p[2];
        __m256i g[2];
        for (int r = 0; r < 2; ++r) {
          const size_t at = static_cast<size_t>(i + r) * kKeyTile + j;
          const __m512 weight =
              exp2_of(_mm512_sub_ps(_mm512_loadu_ps(&scores[at]), _mm512_set1_ps(lse[i + r])));
          const __m512 change =
              _mm512_sub_ps(_mm512_loadu_ps(&weights[at]), _mm512_set1_ps(delta[i + r]));
          p[r] = rounded(weight);
          g[r] = rounded(_mm512_mul_ps(weight, change));
          _mm256_storeu_si256(reinterpret_cast<__m256i*>(&gradients[at]), g[r]);
        }
        const size_t at = static_cast<size_t>(i / 2) * kKeyTile + j;
        _mm512_storeu_si512(&weight_pairs[at], paired(p[0], p[1]));
        _mm512_storeu_si512(&gradient_pairs[at], paired(g[0], g[1]));
      }
    }
  }
};

/// The operands of one head's backward pass, in the forms that its products want, and its sums.
struct Backward {
  Rows q, q_pairs, g, g_pairs;  // g: gradient of the output
  Rows k, k_pairs, v;
  std::vector<float> delta, dq, dk, dv;
  Tile tile;

  Backward(const AttentionShape& s, const Head& head, const Bf16* out, const Bf16* dout)
      : q(turned(head.q, head.width, s.queries, head.q_angles, kScale * kLog2E)),
        q_pairs(packed(pack_rows, q)),
        g(copied(dout, head.width, s.queries)),
        g_pairs(packed(pack_rows, g)),
        v(packed(pack_elements, copied(head.v, 2 * head.width, s.keys))),
        delta(static_cast<size_t>(s.queries)),
        dq(size_of(s.queries)),
        dk(size_of(s.keys)),
        dv(size_of(s.keys)) {
    const Rows rows = turned(head.k, 2 * head.width, s.keys, head.k_angles, 1);
    k = packed(pack_elements, rows);
    k_pairs = packed(pack_rows, rows);
    for (int t = 0; t < s.queries; ++t) {
      delta[t] = dot(out + static_cast<int64_t>(t) * head.width, &g[size_of(t)]);
    }
  }

  /// Adds what 64 queries from i0 and n keys from j0 contribute.
  void add_tile(int i0, int j0, int n, const float* lse) {
    for (int j = 0; j < n; j += 64) {
      for (int i = 0; i < kQueryTile; i += 4) {
        const size_t at = static_cast<size_t>(i) * kKeyTile + j;
        multiply<false>(&q[size_of(i0 + i)], kHead, &k[size_of(j0 + j)], kHalf, &tile.scores[at],
                        kKeyTile);
        multiply<false>(&g[size_of(i0 + i)], kHead, &v[size_of(j0 + j)], kHalf, &tile.weights[at],
                        kKeyTile);
      }
    }
    tile.differentiate(n, lse + i0, &delta[i0]);
    for (int i = 0; i < kQueryTile; i += 4) {
      multiply<true>(&tile.gradients[static_cast<size_t>(i) * kKeyTile], kKeyTile,
                     &k_pairs[size_of(j0)], n / 2, &dq[size_of(i0 + i)], kHead);
    }
    for (int j = 0; j < n; j += 4) {
      multiply_transposed(&tile.weight_pairs[j], kKeyTile, &g_pairs[size_of(i0)],
                          &dv[size_of(j0 + j)]);
      multiply_transposed(&tile.gradient_pairs[j], kKeyTile, &q_pairs[size_of(i0)],
                          &dk[size_of(j0 + j)]);
    }
  }
};

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
  const AttentionShape& s = *shape;
  for (int b = 0; b < s.batch; ++b) {
    for (int h = 0; h < s.heads; ++h) {
      const Head head(s, *in, b, h);
      Backward pass(s, head, out + head.q_offset, dout + head.q_offset);
      for (int i = 0; i < s.queries; i += kQueryTile) {
        for (int j = 0; j < s.keys; j += kKeyTile) {
          pass.add_tile(i, j, std::min(kKeyTile, s.keys - j),
                        lse + static_cast<int64_t>(b * s.heads + h) * s.queries);
        }
      }
      turn_back(pass.dq.data(), s.queries, head.q_angles, kScale, dq + head.q_offset, head.width);
      Bf16* dk = dkv + head.kv_offset;
      turn_back(pass.dk.data(), s.keys, head.k_angles, kLn2, dk, 2 * head.width);
      for (int t = 0; t < s.keys; ++t) {
        for (int d = 0; d < kHead; d += 16) {
          store(dk + head.width + static_cast<int64_t>(t) * 2 * head.width + d,
                _mm512_loadu_ps(&pass.dv[size_of(t) + d]));
        }
      }
    }
  }
}

}  // extern "C"

}  // namespace unmask::train_demo
