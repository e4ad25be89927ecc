// A matrix of heads that a kernel of sm_90a loads and stores box by box, described without CUDA's
// types so that tests can describe it to the emulator.
#pragma once

#include <cstdint>

#include "kernels/cuda/types.h"

namespace unmask::cuda {

/// [rows, heads * head_dim] bfloat16; a box is 64 columns of one head in `box_rows` rows.
struct TensorBoxes {
  const Bf16* data = nullptr;
  int64_t stride = 0;  // elements from row to row
  int rows = 0;
  int heads = 0;
  int head_dim = 0;
  int box_rows = 0;
};
inline constexpr int kBoxColumns = 64;  // 128 bytes, the width of the swizzle

}  // namespace unmask::cuda
