// How much, rounded up, and memory that lives until the next call for the same purpose; it grows
// and never shrinks.
#pragma once

#include <cstddef>

#include "core/tensor.h"

namespace unmask::cpu {

/// Of positive numbers, rounded up.
constexpr int ceil_div(int a, int b) { return (a + b - 1) / b; }

/// The first `bytes` of `buffer`; what it held is lost when it grows.
inline std::byte* reserve_bytes(Buffer& buffer, int64_t bytes) {
  if (buffer.bytes() < static_cast<size_t>(bytes)) {
    buffer = {};  // free first: both at once would double the peak
    buffer = allocate_host(static_cast<size_t>(bytes));
  }
  return static_cast<std::byte*>(buffer.data());
}

inline float* reserve(Buffer& buffer, int64_t floats) {
  return reinterpret_cast<float*>(reserve_bytes(buffer, floats * int64_t{sizeof(float)}));
}

}  // namespace unmask::cpu
