// Element-wise work: operator()(row, col) is called once for every cell of [rows, cols].
#pragma once

#include <cmath>

#include "core/dtype.h"
#include "kernels/cuda/work.h"

namespace unmask::cuda {

/// gate = silu(gate) * up.
struct Swiglu {
  int rows, cols;
  View gate, up;
  UNMASK_BOTH_SIDES void operator()(int row, int col) const {
    float& g = gate(row, col);
    g = g / (1 + expf(-g)) * up(row, col);
  }
};

/// x += y.
struct Add {
  int rows, cols;
  View x, y;
  UNMASK_BOTH_SIDES void operator()(int row, int col) const { x(row, col) += y(row, col); }
};

/// x = y + scale * (x - y).
struct Extrapolate {
  int rows, cols;
  View x, y;
  float scale;
  UNMASK_BOTH_SIDES void operator()(int row, int col) const {
    x(row, col) = y(row, col) + scale * (x(row, col) - y(row, col));
  }
};

/// out[i] = from[list[i]].
struct Gather {
  int rows, cols;
  View from;
  const int* list;
  View out;
  UNMASK_BOTH_SIDES void operator()(int row, int col) const {
    out(row, col) = from(list[row], col);
  }
};

/// out[list[i]] = from[i].
struct Scatter {
  int rows, cols;
  View from;
  const int* list;
  View out;
  UNMASK_BOTH_SIDES void operator()(int row, int col) const {
    out(list[row], col) = from(row, col);
  }
};

/// out[i] = table[list[i]] of a bfloat16 table with rows of `cols`.
struct GatherNarrow {
  int rows, cols;
  const Bf16* table;
  const int* list;
  View out;
  UNMASK_BOTH_SIDES void operator()(int row, int col) const {
    out(row, col) = bf16_to_f32(table[int64_t{list[row]} * cols + col]);
  }
};

/// Rounds rows to bfloat16, parts of `width` columns widened to `padded` with zeros. The same row
/// numbers count on both sides, those of `list` where it is not null.
struct Narrow {
  int rows, cols;  // cols: of `out`
  View from;
  const int* list;
  Bf16* out;  // [.., cols], dense
  int width, padded;
  UNMASK_BOTH_SIDES void operator()(int row, int col) const {
    const int r = list == nullptr ? row : list[row];
    const int within = col % padded;
    out[int64_t{r} * cols + col] =
        within < width ? f32_to_bf16(from(r, col / padded * width + within)) : Bf16{0};
  }
};

/// The way back of Narrow.
struct Widen {
  int rows, cols;  // cols: of `out`
  const Bf16* from;
  int64_t stride;  // of `from`
  View out;
  int width, padded;
  UNMASK_BOTH_SIDES void operator()(int row, int col) const {
    out(row, col) = bf16_to_f32(from[int64_t{row} * stride + col / width * padded + col % width]);
  }
};

/// Rotates the pairs (i, i + cols) of every head; column i turns all heads of its row.
struct Rope {
  int rows, cols;  // cols: half a head
  View x;
  const int* positions;
  const float* frequencies;  // [cols]
  int n_heads;
  UNMASK_BOTH_SIDES void operator()(int row, int col) const {
    const float angle = static_cast<float>(positions[row]) * frequencies[col];
    const float c = cosf(angle);
    const float s = sinf(angle);
    for (int head = 0; head < n_heads; ++head) {
      float& a = x(row, 2 * head * cols + col);
      float& b = x(row, (2 * head + 1) * cols + col);
      const float rotated = a * c - b * s;
      b = b * c + a * s;
      a = rotated;
    }
  }
};

/// Means over queries and heads, by column of the keys. [1, cols]
struct MeanQuery {
  int rows, cols;  // 1 and n_kv_heads * head_dim
  View q;
  int queries;
  int group;  // query heads of a key head
  int head_dim;
  View out;
  UNMASK_BOTH_SIDES void operator()(int /*row*/, int col) const {
    double sum = 0;
    const int first = col / head_dim * group * head_dim + col % head_dim;
    for (int r = 0; r < queries; ++r) {
      for (int head = 0; head < group; ++head) sum += q(r, first + head * head_dim);
    }
    const int n_heads = cols / head_dim * group;
    out(0, col) = static_cast<float>(sum / queries / n_heads);
  }
};

/// Scores of queries and keys, for AttentionMass.
struct Scores {
  View q, k;
  const int* list;  // rows of q
  int n_heads, group, head_dim;
  float scale;
  UNMASK_BOTH_SIDES float operator()(int query, int head, int key) const {
    const float* a = &q(list[query], head * head_dim);
    const float* b = &k(key, head / group * head_dim);
    float sum = 0;
    for (int d = 0; d < head_dim; ++d) sum += a[d] * b[d];
    return sum * scale;
  }
};

/// Attention that a key gets: cell (key head, key). Needs the log-sum-exps of ScoreLse.
struct AttentionMass {
  int rows, cols;  // n_kv_heads, keys
  Scores scores;
  int queries;
  const float* lse;  // [queries * n_heads]
  View out;
  UNMASK_BOTH_SIDES void operator()(int row, int col) const {
    float sum = 0;
    for (int query = 0; query < queries; ++query) {
      for (int head = row * scores.group; head < (row + 1) * scores.group; ++head) {
        sum += expf(scores(query, head, col) - lse[query * scores.n_heads + head]);
      }
    }
    out(row, col) = sum;
  }
};

}  // namespace unmask::cuda
