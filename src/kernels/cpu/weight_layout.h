// The layouts of packed weights that our own products read.
//
// Output columns lie in panels, one after the other, each as a kernel reads it from first to last
// byte. Columns and depth are padded with weights of zero.
#pragma once

#include <cstddef>

#include "core/tensor.h"
#include "kernels/backend.h"

namespace unmask::cpu {

struct WeightLayout {
  int panel_columns;
  int depth_step;  // the inner dimension is padded to a multiple of this
  /// Bytes of one panel of `depth` (padded), a multiple of 64.
  size_t (*panel_bytes)(int depth);
  /// Fills one zeroed panel with the rows `outputs` of `weights`.
  void (*pack)(const HostMatrix& weights, Range outputs, int depth, std::byte* panel);

  int padded(int depth) const { return (depth + depth_step - 1) / depth_step * depth_step; }
};

/// bfloat16, [depth / 2][64][2]: 16 columns' pairs fill a register.
extern const WeightLayout kBf16Layout;

}  // namespace unmask::cpu
