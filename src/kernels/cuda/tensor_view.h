// Tensors of the interface as the device's work sees them.
#pragma once

#include "core/tensor.h"
#include "kernels/cuda/work.h"

namespace unmask::cuda {

inline View view(Tensor t) {
  UNMASK_CHECK(t.dtype == DType::f32 || t.dtype == DType::bf16, "type of an activation");
  return {t.data, t.stride, t.dtype == DType::bf16};
}

/// What the kernels load at once.
inline constexpr int kAlignedBytes = 16;
inline constexpr int kAlignedElements = kAlignedBytes / static_cast<int>(sizeof(Bf16));

/// True when products and attention can read and write bfloat16 where it lies.
inline bool is_aligned(Tensor t) {
  return t.dtype == DType::bf16 && t.stride % kAlignedElements == 0 &&
         reinterpret_cast<uintptr_t>(t.data) % kAlignedBytes == 0;
}

}  // namespace unmask::cuda
