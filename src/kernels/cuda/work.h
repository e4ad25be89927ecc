// Work on a device as plain functions of one cell or one row: the device runs them in parallel
// (work.cu), tests run them in loops.
#pragma once

#include <cstdint>

#include "kernels/cuda/attention.h"

#ifdef __CUDACC__
#define UNMASK_BOTH_SIDES __host__ __device__
#else
#define UNMASK_BOTH_SIDES
#endif

namespace unmask::cuda {

/// Rows of float32 on the device.
struct View {
  float* data = nullptr;
  int64_t stride = 0;

  UNMASK_BOTH_SIDES float& operator()(int row, int col) const {
    return data[int64_t{row} * stride + col];
  }
};

/// Queues an operation of cell_work.h or row_work.h on the stream. Throws Error where the device
/// refuses it.
template <typename Work>
void launch(const Work& work, Stream stream);

}  // namespace unmask::cuda
