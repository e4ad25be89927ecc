// How far a right result may lie from the exact one, from the depth of its sums and its types.
#pragma once

#include <cmath>

namespace unmask::testing {

inline constexpr double kUnit32 = 0x1p-24;  // half a unit in the last place of 1, float32
inline constexpr double kUnit16 = 0x1p-9;   // the same of bfloat16

/// Of a float32 sum of `depth` terms in any order, relative to the terms' size. Its roundings are
/// independent, so they grow as the square root of their number (Higham, Accuracy and Stability of
/// Numerical Algorithms, 2.8); four times that leaves no chance to the millions of sums of a suite.
inline double sum_error(int depth) { return 4 * std::sqrt(depth + 2.0) * kUnit32; }

}  // namespace unmask::testing
