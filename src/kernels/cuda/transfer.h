// Tensors of the device from and to float32 of the host.
#pragma once

#include "core/tensor.h"
#include "kernels/cuda/device.h"

namespace unmask::cuda {

/// Backend::upload and download.
void upload(Device& device, const float* host, Tensor out);
void download(Device& device, Tensor from, float* host);

}  // namespace unmask::cuda
