// Attention on a CUDA device: the functions that choose a kernel and start it. Plain C++. Nothing
// here allocates, synchronises or reads back: calls queue work on a stream and may be captured into
// a graph.
#pragma once

#include <cstddef>

#include "kernels/cuda/types.h"

namespace unmask::cuda {

/// Scratch that launch_attention() needs, often none; the same call later needs the same.
size_t attention_workspace(const DeviceTraits& device, const DeviceAttention& task);
/// Throws Error when the device has no kernel for the shape or refuses the launch.
void launch_attention(const DeviceTraits& device, const DeviceAttention& task, void* workspace,
                      Stream stream);

size_t block_scores_workspace(const DeviceImportance& task);
void launch_block_scores(const DeviceTraits& device, const DeviceImportance& task, void* workspace,
                         Stream stream);

/// Room for the longest list that a selection can give: DeviceLists::stride of its result.
int list_stride(const DeviceSelection& task);
void launch_select(const DeviceSelection& task, Stream stream);

}  // namespace unmask::cuda
