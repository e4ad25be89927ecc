#include "kernels/plain_row_math.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace unmask {

namespace {

int argmax(const float* row, int n) {
  return static_cast<int>(std::max_element(row, row + n) - row);
}

RowMath::TopTwo top_two(const float* row, int n) {
  RowMath::TopTwo top{argmax(row, n), 0, -std::numeric_limits<float>::infinity()};
  top.first = row[top.index];
  for (int i = 0; i < n; ++i) {
    if (i != top.index) top.second = std::max(top.second, row[i]);
  }
  return top;
}

RowMath::ExpSums exp_sums(const float* row, int n, float shift) {
  RowMath::ExpSums sums{0, 0};
  for (int i = 0; i < n; ++i) {
    if (row[i] == -std::numeric_limits<float>::infinity()) continue;
    const double d = static_cast<double>(row[i]) - shift;
    sums.sum += std::exp(d);
    sums.weighted += std::exp(d) * d;
  }
  return sums;
}

}  // namespace

RowMath plain_row_math() { return {argmax, top_two, exp_sums}; }

}  // namespace unmask
