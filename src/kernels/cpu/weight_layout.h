// The layouts of packed weights that our own products read.
//
// Output columns lie in panels, one after the other, each as a kernel reads it from first to last
// byte. Columns and depth are padded with weights of zero.
#pragma once

#include <cstddef>

#include "core/parallel.h"
#include "core/tensor.h"
#include "kernels/backend.h"
#include "kernels/cpu/table.h"

namespace unmask::cpu {

struct WeightLayout {
  int panel_columns;
  int depth_step;  // the inner dimension is padded to a multiple of this
  /// Bytes of one panel of `depth` (padded), a multiple of 64.
  size_t (*panel_bytes)(int depth);
  /// Fills one zeroed panel with the rows `outputs` of `weights`. The same bytes with every table.
  void (*pack)(const HostMatrix& weights, Range outputs, int depth, const KernelTable& table,
               std::byte* panel);

  int padded(int depth) const { return (depth + depth_step - 1) / depth_step * depth_step; }
  int panels(int outputs) const { return (outputs + panel_columns - 1) / panel_columns; }
};

/// Packs a matrix in rows into zeroed memory for all its panels.
void pack_panels(const WeightLayout& layout, const HostMatrix& weights, const KernelTable& table,
                 ThreadPool& pool, std::byte* to);

/// float32, [depth][64].
extern const WeightLayout kF32Layout;

/// bfloat16, [depth / 2][64][2]: 16 columns' pairs fill a register.
extern const WeightLayout kBf16Layout;

/// 8 bits: [depth / 4][64][4] bytes of weight + 128, then 64 float32 scales. The largest weight of
/// an output becomes 127 or -127.
extern const WeightLayout kInt8Layout;

/// 4 bits: that of Q4_0, with the scale of each group that leaves the least error of nine.
extern const WeightLayout kInt4Layout;

/// That of matrices in blocks, which stay as they are: see block_layout.h.
const WeightLayout& layout_of(BlockFormat format);

}  // namespace unmask::cpu
