// Descriptions of tensors for the copy engine of sm_90. Needs CUDA's headers.
#pragma once

#include <cuda.h>

#include "kernels/cuda/tensor_box.h"

namespace unmask::cuda {

/// Throws Error where the driver refuses, as it does a pointer or stride that is not a multiple of
/// 16 bytes.
CUtensorMap encode(const TensorBoxes& boxes);

}  // namespace unmask::cuda
