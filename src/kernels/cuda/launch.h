// Internal to the files that launch kernels and to attention.cc, which calls them; everybody else
// includes attention.h.
#pragma once

#include "kernels/cuda/types.h"

namespace unmask::cuda {

/// Throws Error when the device has less shared memory for a block of the kernel.
void allow_shared_memory(const void* kernel, size_t bytes);

/// head_dim 64 or 128, block size 128 or no lists, rows are positions, sm_90.
void launch_flash_sm90(const DeviceTraits& device, const DeviceAttention& task, Stream stream);

/// Any task, from sm_80 on.
void launch_flash_mma(const DeviceTraits& device, const DeviceAttention& task, float* workspace,
                      Stream stream);

/// head_dim 64 or 128, block size 128, sm_90.
void launch_scores_sm90(const DeviceTraits& device, const DeviceImportance& task, float* workspace,
                        Stream stream);
/// Any task with blocks of at most 128, from sm_80 on.
void launch_scores_mma(const DeviceImportance& task, float* workspace, Stream stream);

}  // namespace unmask::cuda
