// Element-wise work: operator()(row, col) is called once for every cell of [rows, cols].
#pragma once

#include <cmath>

#include "kernels/cuda/work.h"

namespace unmask::cuda {

/// out = silu(gate) * up. out may be one of them.
struct Swiglu {
  int rows, cols;
  View gate, up, out;
  UNMASK_BOTH_SIDES void operator()(int row, int col) const {
    const float g = gate(row, col);
    out.set(row, col, g / (1 + expf(-g)) * up(row, col));
  }
};

/// Hands out the columns of a product of several matrices, each part with its bias.
struct Split {
  static constexpr int kParts = 3;
  struct Matrix {
    int end;  // column behind it
    View out;
    const float* bias;  // or null
  };
  int rows, cols;
  View from;
  Matrix parts[kParts];  // as many as hold all columns

  UNMASK_BOTH_SIDES void operator()(int row, int col) const {
    int i = 0;
    while (col >= parts[i].end) ++i;
    const int own = col - (i == 0 ? 0 : parts[i - 1].end);
    const float bias = parts[i].bias == nullptr ? 0 : parts[i].bias[own];
    parts[i].out.set(row, own, from(row, col) + bias);
  }
};

/// x += y.
struct Add {
  int rows, cols;
  View x, y;
  UNMASK_BOTH_SIDES void operator()(int row, int col) const {
    x.set(row, col, x(row, col) + y(row, col));
  }
};

/// x = y + scale * (x - y).
struct Extrapolate {
  int rows, cols;
  View x, y;
  float scale;
  UNMASK_BOTH_SIDES void operator()(int row, int col) const {
    x.set(row, col, y(row, col) + scale * (x(row, col) - y(row, col)));
  }
};

/// out[i] = from[list[i]].
struct Gather {
  int rows, cols;
  View from;
  const int* list;
  View out;
  UNMASK_BOTH_SIDES void operator()(int row, int col) const {
    out.set(row, col, from(list[row], col));
  }
};

/// out[list[i]] = from[i].
struct Scatter {
  int rows, cols;
  View from;
  const int* list;
  View out;
  UNMASK_BOTH_SIDES void operator()(int row, int col) const {
    out.set(list[row], col, from(row, col));
  }
};

/// Copies rows part by part: `from_width` columns become `out_width`, cut or filled with zeros. The
/// same row numbers count on both sides, those of `list` where it is not null.
struct CopyParts {
  int rows, cols;  // cols: of `out`
  View from;
  const int* list;
  View out;
  int from_width, out_width;
  UNMASK_BOTH_SIDES void operator()(int row, int col) const {
    const int r = list == nullptr ? row : list[row];
    const int within = col % out_width;
    out.set(r, col, within < from_width ? from(r, col / out_width * from_width + within) : 0);
  }
};

/// Rotates the pairs (i, i + half) of every head; a column is a pair.
struct Rope {
  int rows, cols;  // cols: half a head, times the heads
  View x;
  const int* positions;
  const float* frequencies;  // [half]
  int half;
  UNMASK_BOTH_SIDES void operator()(int row, int col) const {
    const int pair = col % half;
    const float angle = static_cast<float>(positions[row]) * frequencies[pair];
    const float c = cosf(angle);
    const float s = sinf(angle);
    const int first = col / half * 2 * half + pair;
    const int second = first + half;
    const float a = x(row, first);
    const float b = x(row, second);
    x.set(row, first, a * c - b * s);
    x.set(row, second, b * c + a * s);
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
    out.set(0, col, static_cast<float>(sum / queries / n_heads));
  }
};

/// Scores of queries and keys, for AttentionMass.
struct Scores {
  View q, k;
  const int* list;  // rows of q
  int n_heads, group, head_dim;
  float scale;
  UNMASK_BOTH_SIDES float operator()(int query, int head, int key) const {
    const int a = head * head_dim;
    const int b = head / group * head_dim;
    float sum = 0;
    for (int d = 0; d < head_dim; ++d) sum += q(list[query], a + d) * k(key, b + d);
    return sum * scale;
  }
};

/// Attention that a key gets: cell (key, key head). Needs the log-sum-exps of ScoreLse.
struct AttentionMass {
  int rows, cols;  // keys, n_kv_heads
  Scores scores;
  int queries;
  const float* lse;  // [queries * n_heads]
  View out;
  UNMASK_BOTH_SIDES void operator()(int row, int col) const {
    float sum = 0;
    for (int query = 0; query < queries; ++query) {
      for (int head = col * scores.group; head < (col + 1) * scores.group; ++head) {
        sum += expf(scores(query, head, row) - lse[query * scores.n_heads + head]);
      }
    }
    out.set(col, row, sum);
  }
};

}  // namespace unmask::cuda
