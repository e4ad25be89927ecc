// Tensors of the interface as the device's work sees them.
#pragma once

#include "core/tensor.h"
#include "kernels/cuda/work.h"

namespace unmask::cuda {

inline View view(Tensor t) {
  UNMASK_CHECK(t.dtype == DType::f32, "activations are float32");
  return {t.f32(), t.stride};
}

}  // namespace unmask::cuda
