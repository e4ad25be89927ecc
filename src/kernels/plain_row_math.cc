#include "kernels/plain_row_math.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace unmask {

namespace {

int argmax(const float* row, int n) {
  return static_cast<int>(std::max_element(row, row + n) - row);
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

RowMath plain_row_math() { return {argmax, exp_sums}; }

}  // namespace unmask
