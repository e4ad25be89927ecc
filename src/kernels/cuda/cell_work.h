// Element-wise work on the cells of [rows, cols]: put(row, col, value(row, col)) for each of them.
// The device asks for the values of several cells before it puts the first, so that their reads
// overlap: a value must not depend on what another cell puts.
#pragma once

#include <cmath>

#include "kernels/cuda/work.h"

namespace unmask::cuda {

/// out = silu(gate) * up. out may be one of them.
struct Swiglu {
  int rows, cols;
  View gate, up, out;
  UNMASK_BOTH_SIDES float value(int row, int col) const {
    const float g = gate(row, col);
    return g / (1 + expf(-g)) * up(row, col);
  }
  UNMASK_BOTH_SIDES void put(int row, int col, float value) const { out.set(row, col, value); }
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

  UNMASK_BOTH_SIDES int part_of(int col) const {
    int i = 0;
    while (col >= parts[i].end) ++i;
    return i;
  }
  UNMASK_BOTH_SIDES int begin(int part) const { return part == 0 ? 0 : parts[part - 1].end; }
  UNMASK_BOTH_SIDES float value(int row, int col) const {
    const int i = part_of(col);
    return from(row, col) + (parts[i].bias == nullptr ? 0 : parts[i].bias[col - begin(i)]);
  }
  UNMASK_BOTH_SIDES void put(int row, int col, float value) const {
    const int i = part_of(col);
    parts[i].out.set(row, col - begin(i), value);
  }
};

/// x += y.
struct Add {
  int rows, cols;
  View x, y;
  UNMASK_BOTH_SIDES float value(int row, int col) const { return x(row, col) + y(row, col); }
  UNMASK_BOTH_SIDES void put(int row, int col, float value) const { x.set(row, col, value); }
};

/// x = y + scale * (x - y).
struct Extrapolate {
  int rows, cols;
  View x, y;
  float scale;
  UNMASK_BOTH_SIDES float value(int row, int col) const {
    return y(row, col) + scale * (x(row, col) - y(row, col));
  }
  UNMASK_BOTH_SIDES void put(int row, int col, float value) const { x.set(row, col, value); }
};

/// out[i] = from[list[i]].
struct Gather {
  int rows, cols;
  View from;
  const int* list;
  View out;
  UNMASK_BOTH_SIDES float value(int row, int col) const { return from(list[row], col); }
  UNMASK_BOTH_SIDES void put(int row, int col, float value) const { out.set(row, col, value); }
};

/// out[list[i]] = from[i].
struct Scatter {
  int rows, cols;
  View from;
  const int* list;
  View out;
  UNMASK_BOTH_SIDES float value(int row, int col) const { return from(row, col); }
  UNMASK_BOTH_SIDES void put(int row, int col, float value) const {
    out.set(list[row], col, value);
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
  UNMASK_BOTH_SIDES int source(int row) const { return list == nullptr ? row : list[row]; }
  UNMASK_BOTH_SIDES float value(int row, int col) const {
    const int within = col % out_width;
    return within < from_width ? from(source(row), col / out_width * from_width + within) : 0;
  }
  UNMASK_BOTH_SIDES void put(int row, int col, float value) const {
    out.set(source(row), col, value);
  }
};

/// Float32 as three bfloat16 that add up to it: each takes what rounding to the one before has
/// left. out [3 * rows, cols]: part i of all rows lies behind part i - 1.
struct SplitFloat {
  static constexpr int kParts = 3;
  struct Parts {
    float parts[kParts];
  };
  int rows, cols;
  View from;
  int from_cols;  // zeros behind them
  View out;
  UNMASK_BOTH_SIDES Parts value(int row, int col) const {
    Parts v{};
    float left = col < from_cols ? from(row, col) : 0;
    for (float& part : v.parts) {
      part = bf16_to_f32(f32_to_bf16(left));
      left -= part;
    }
    return v;
  }
  UNMASK_BOTH_SIDES void put(int row, int col, const Parts& v) const {
    for (int i = 0; i < kParts; ++i) out.set(i * rows + row, col, v.parts[i]);
  }
};

/// The weighted outputs of a row's experts, added up in their order.
struct AddExperts {
  int rows, cols;
  View from;             // [rows * top_k, cols]
  const int* places;     // [rows, top_k], rows of `from`
  const float* weights;  // [rows, top_k]
  int top_k;
  bool adds;  // to what is in out
  View out;
  UNMASK_BOTH_SIDES float value(int row, int col) const {
    float sum = adds ? out(row, col) : 0;
    for (int64_t i = int64_t{row} * top_k; i < (int64_t{row} + 1) * top_k; ++i) {
      sum += weights[i] * from(places[i], col);
    }
    return sum;
  }
  UNMASK_BOTH_SIDES void put(int row, int col, float value) const { out.set(row, col, value); }
};

/// Rotates the pairs (i, i + half) of every head. A column is a pair in some heads, which share its
/// angle.
struct Rope {
  static constexpr int kHeads = 4;  // of a column
  struct Pairs {
    float first[kHeads], second[kHeads];
  };
  int rows, cols;  // cols: half a head, times the heads / kHeads, rounded up
  View x;
  const int* positions;
  const float* frequencies;  // [half]
  float scale;
  int half;
  int heads;

  /// Where the pair lies in a head of the column; -1 behind the last head.
  UNMASK_BOTH_SIDES int place(int col, int i) const {
    const int head = col / half * kHeads + i;
    return head < heads ? head * 2 * half + col % half : -1;
  }
  UNMASK_BOTH_SIDES Pairs value(int row, int col) const {
    const float angle = static_cast<float>(positions[row]) * frequencies[col % half];
    const float c = cosf(angle) * scale;
    const float s = sinf(angle) * scale;
    Pairs turned{};
    for (int i = 0; i < kHeads; ++i) {
      const int at = place(col, i);
      if (at < 0) continue;
      const float a = x(row, at);
      const float b = x(row, at + half);
      turned.first[i] = a * c - b * s;
      turned.second[i] = b * c + a * s;
    }
    return turned;
  }
  UNMASK_BOTH_SIDES void put(int row, int col, const Pairs& turned) const {
    for (int i = 0; i < kHeads; ++i) {
      const int at = place(col, i);
      if (at < 0) continue;
      x.set(row, at, turned.first[i]);
      x.set(row, at + half, turned.second[i]);
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
  UNMASK_BOTH_SIDES float value(int /*row*/, int col) const {
    double sum = 0;
    const int first = col / head_dim * group * head_dim + col % head_dim;
    for (int r = 0; r < queries; ++r) {
      for (int head = 0; head < group; ++head) sum += q(r, first + head * head_dim);
    }
    const int n_heads = cols / head_dim * group;
    return static_cast<float>(sum / queries / n_heads);
  }
  UNMASK_BOTH_SIDES void put(int row, int col, float value) const { out.set(row, col, value); }
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
  UNMASK_BOTH_SIDES float value(int row, int col) const {
    float sum = 0;
    for (int query = 0; query < queries; ++query) {
      for (int head = col * scores.group; head < (col + 1) * scores.group; ++head) {
        sum += expf(scores(query, head, row) - lse[query * scores.n_heads + head]);
      }
    }
    return sum;
  }
  UNMASK_BOTH_SIDES void put(int row, int col, float value) const { out.set(col, row, value); }
};

}  // namespace unmask::cuda
