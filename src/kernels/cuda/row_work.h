// Work that reduces rows: take() folds a cell into a part, merge() joins parts, finish() gets the
// whole row. Where there is a value() of the whole row, every cell then gets its own, as in
// cell_work.h.
#pragma once

#include <cmath>

#include "kernels/cuda/cell_work.h"

namespace unmask::cuda {

/// Largest value so far, with sums of exp(value - largest) and of (value - largest) times that;
/// -inf counts as nothing.
struct SumExp {
  float top = -INFINITY;
  double sum = 0;
  double weighted = 0;

  UNMASK_BOTH_SIDES void take(float value) {
    if (value == -INFINITY) return;
    if (value > top) rescale(value);
    const float distance = value - top;
    const float e = expf(distance);
    sum += e;
    weighted += static_cast<double>(e) * distance;
  }
  UNMASK_BOTH_SIDES void merge(SumExp other) {
    if (other.top == -INFINITY) return;
    if (other.top > top) {
      rescale(other.top);
    } else {
      other.rescale(top);
    }
    sum += other.sum;
    weighted += other.weighted;
  }
  UNMASK_BOTH_SIDES void rescale(float new_top) {
    if (top != -INFINITY) {
      const double distance = static_cast<double>(top) - new_top;
      const double factor = exp(distance);
      weighted = factor * (weighted + distance * sum);
      sum *= factor;
    }
    top = new_top;
  }
};

/// The largest value and the lowest index that has it.
struct Largest {
  float value = -INFINITY;
  int index = INT32_MAX;

  UNMASK_BOTH_SIDES bool before(const Largest& other) const {
    return value > other.value || (value == other.value && index < other.index);
  }
  UNMASK_BOTH_SIDES void take(const Largest& other) {
    if (other.before(*this)) *this = other;
  }
};

/// out = x / sqrt(mean(x^2) + eps) * weight. x may be out.
struct RmsNorm {
  int rows, cols;
  View x;
  const float* weight;
  float eps;
  View out;

  struct Part {
    float squares = 0;
  };
  UNMASK_BOTH_SIDES void take(Part& part, int row, int col) const {
    part.squares += x(row, col) * x(row, col);
  }
  UNMASK_BOTH_SIDES static void merge(Part& part, const Part& other) {
    part.squares += other.squares;
  }
  UNMASK_BOTH_SIDES void finish(const Part& /*whole*/, int /*row*/) const {}
  UNMASK_BOTH_SIDES float value(const Part& whole, int row, int col) const {
    const float scale = 1 / sqrtf(whole.squares / static_cast<float>(cols) + eps);
    return x(row, col) * scale * weight[col];
  }
  UNMASK_BOTH_SIDES void put(int row, int col, float value) const { out.set(row, col, value); }
};

/// out[row] = a[row] . b, b one row.
struct DotRow {
  int rows, cols;
  View a, b;
  float* out;

  struct Part {
    double dot = 0;
  };
  UNMASK_BOTH_SIDES void take(Part& part, int row, int col) const {
    part.dot += static_cast<double>(a(row, col)) * b(0, col);
  }
  UNMASK_BOTH_SIDES static void merge(Part& part, const Part& other) { part.dot += other.dot; }
  UNMASK_BOTH_SIDES void finish(const Part& whole, int row) const {
    out[row] = static_cast<float>(whole.dot);
  }
};

/// out[row] = cosine of a[row] and b[row], 0 where one is zero.
struct Cosine {
  int rows, cols;
  View a, b;
  float* out;

  struct Part {
    double ab = 0;
    double aa = 0;
    double bb = 0;
  };
  UNMASK_BOTH_SIDES void take(Part& part, int row, int col) const {
    const double x = a(row, col);
    const double y = b(row, col);
    part.ab += x * y;
    part.aa += x * x;
    part.bb += y * y;
  }
  UNMASK_BOTH_SIDES static void merge(Part& part, const Part& other) {
    part.ab += other.ab;
    part.aa += other.aa;
    part.bb += other.bb;
  }
  UNMASK_BOTH_SIDES void finish(const Part& whole, int row) const {
    out[row] = whole.aa > 0 && whole.bb > 0
                   ? static_cast<float>(whole.ab / sqrt(whole.aa) / sqrt(whole.bb))
                   : 0;
  }
};

/// out[row] = mean |a[row] - b[of_b[row]]| / (root of mean b[of_b[row]]^2 + 1e-6).
struct RowChange {
  int rows, cols;
  View a, b;
  const int* of_b;
  float* out;

  struct Part {
    double distance = 0;
    double squares = 0;
  };
  UNMASK_BOTH_SIDES void take(Part& part, int row, int col) const {
    const double before = b(of_b[row], col);
    part.distance += fabs(a(row, col) - before);
    part.squares += before * before;
  }
  UNMASK_BOTH_SIDES static void merge(Part& part, const Part& other) {
    part.distance += other.distance;
    part.squares += other.squares;
  }
  UNMASK_BOTH_SIDES void finish(const Part& whole, int row) const {
    out[row] = static_cast<float>(whole.distance / cols / (sqrt(whole.squares / cols) + 1e-6));
  }
};

/// Log of the sum of exp(score) over all keys; row: query * n_heads + head, column: key.
struct ScoreLse {
  int rows, cols;
  Scores scores;
  float* out;

  using Part = SumExp;
  UNMASK_BOTH_SIDES void take(Part& part, int row, int col) const {
    part.take(scores(row / scores.n_heads, row % scores.n_heads, col));
  }
  UNMASK_BOTH_SIDES static void merge(Part& part, const Part& other) { part.merge(other); }
  UNMASK_BOTH_SIDES void finish(const Part& whole, int row) const {
    out[row] = whole.top + static_cast<float>(log(whole.sum));
  }
};

/// Token ids on the device.
struct Ids {
  const int* ids;
  int count;
  UNMASK_BOTH_SIDES bool contain(int id) const {
    for (int i = 0; i < count; ++i) {
      if (ids[i] == id) return true;
    }
    return false;
  }
};

/// What TokenStats holds, as reduce_row() finds it at temperature 0 without filters; token -1 where
/// no logit is a number.
struct Choice {
  int token;
  float probability, margin, neg_entropy;
};

struct Choose {
  int rows, cols;
  View logits;
  Ids removed, forbidden, without_confidence;
  Choice* out;

  struct Part {
    SumExp all;      // of the distribution
    SumExp trusted;  // of the tokens with confidence
    Largest first;   // of the distribution
    float second = -INFINITY;
    Largest choice;
  };
  UNMASK_BOTH_SIDES void take(Part& part, int row, int col) const {
    const float logit = removed.contain(col) ? -INFINITY : logits(row, col);
    part.all.take(logit);
    if (!without_confidence.contain(col)) part.trusted.take(logit);
    part.choice.take({forbidden.contain(col) ? -INFINITY : logit, col});
    fold(part, {logit, col});
  }
  UNMASK_BOTH_SIDES static void merge(Part& part, const Part& other) {
    part.all.merge(other.all);
    part.trusted.merge(other.trusted);
    part.choice.take(other.choice);
    part.second = fmaxf(part.second, other.second);
    fold(part, other.first);
  }
  UNMASK_BOTH_SIDES void finish(const Part& whole, int row) const {
    if (whole.choice.index >= cols) {
      out[row] = {-1, 0, 0, 0};
      return;
    }
    const float logit =
        removed.contain(whole.choice.index) ? -INFINITY : logits(row, whole.choice.index);
    const bool trusted = !without_confidence.contain(whole.choice.index);
    Choice& choice = out[row];
    choice.token = whole.choice.index;
    choice.probability =
        trusted ? static_cast<float>(exp(static_cast<double>(logit) - whole.trusted.top) /
                                     whole.trusted.sum)
                : 0;
    choice.margin = static_cast<float>(
        (1 - exp(static_cast<double>(whole.second) - whole.first.value)) / whole.all.sum);
    choice.neg_entropy =
        static_cast<float>(whole.all.weighted / whole.all.sum - log(whole.all.sum));
  }

 private:
  /// The smaller of two largest becomes a second.
  UNMASK_BOTH_SIDES static void fold(Part& part, const Largest& other) {
    part.second = fmaxf(part.second, fminf(part.first.value, other.value));
    part.first.take(other);
  }
};

}  // namespace unmask::cuda
