// Work on a device as plain functions of one cell or one row: the device runs them in parallel
// (work.cu), tests run them in loops.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "kernels/cuda/types.h"

#ifdef __CUDACC__
#define UNMASK_BOTH_SIDES __host__ __device__
#else
#define UNMASK_BOTH_SIDES
#endif

namespace unmask::cuda {

/// Rows of float32 or bfloat16 on the device, read and written as float32.
struct View {
  /// Columns from `first` on.
  UNMASK_BOTH_SIDES View from_column(int first) const {
    const int64_t bytes = int64_t{first} * (narrow ? 2 : 4);
    return {static_cast<char*>(data) + bytes, stride, narrow};
  }

  void* data = nullptr;
  int64_t stride = 0;
  bool narrow = false;  // bfloat16

  UNMASK_BOTH_SIDES float operator()(int row, int col) const {
    const int64_t i = int64_t{row} * stride + col;
    return narrow ? bf16_to_f32(static_cast<const Bf16*>(data)[i])
                  : static_cast<const float*>(data)[i];
  }
  UNMASK_BOTH_SIDES void set(int row, int col, float value) const {
    const int64_t i = int64_t{row} * stride + col;
    if (narrow) {
      static_cast<Bf16*>(data)[i] = f32_to_bf16(value);
    } else {
      static_cast<float*>(data)[i] = value;
    }
  }
};

/// Queues an operation of cell_work.h or row_work.h on the stream. Throws Error where the device
/// refuses it.
template <typename Work>
void launch(const Work& work, Stream stream);

}  // namespace unmask::cuda
