// Descriptions of tensors for the copy engine of sm_90.
#pragma once

#include "kernels/cuda/instructions_sm90.h"
#include "kernels/cuda/tensor_box.h"

namespace unmask::cuda {

/// Throws Error where the driver refuses, as it does a pointer or stride that is not a multiple of
/// 16 bytes.
TensorMap encode(const TensorBoxes& boxes);

}  // namespace unmask::cuda
