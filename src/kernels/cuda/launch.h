// What the files that launch kernels share, and what they offer attention.cc. Not for others: the
// interface is attention.h.
#pragma once

#include "kernels/cuda/attention.h"

namespace unmask::cuda {

/// Throws Error, in a file that nvcc does not see: "[cuda] <what>: <the error's name and text>".
[[noreturn]] void refuse(const char* what, int cuda_error);
/// Throws Error when the launch before failed.
void check_launch(const char* kernel);
/// Throws Error when the device has not as much shared memory for a block of `kernel`.
void allow_shared_memory(const void* kernel, size_t bytes);
template <typename Kernel>
void allow_shared_memory(Kernel* kernel, size_t bytes) {
  allow_shared_memory(reinterpret_cast<const void*>(kernel), bytes);
}

/// head_dim 64 or 128, block size 128 or no lists, rows are positions, sm_90.
void launch_flash_sm90(const DeviceTraits& device, const DeviceAttention& task, Stream stream);

}  // namespace unmask::cuda
