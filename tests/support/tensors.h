// Tensors of golden cases as vectors.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <vector>

#include "core/error.h"
#include "io/containers/safetensors.h"

namespace unmask::testing {

/// The elements of a tensor stored as F32, I32, I64, U8 or BF16, converted to T.
template <typename T>
std::vector<T> values(const StoredTensor& tensor) {
  const auto n = static_cast<size_t>(tensor.elements());
  std::vector<T> out(n);
  const auto read = [&]<typename S>(S) {
    for (size_t i = 0; i < n; ++i) {
      S element;
      std::memcpy(&element, tensor.bytes.data() + i * sizeof(S), sizeof(S));
      out[i] = static_cast<T>(element);
    }
  };
  if (tensor.dtype == "F32") {
    read(float{});
  } else if (tensor.dtype == "I32") {
    read(int32_t{});
  } else if (tensor.dtype == "I64") {
    read(int64_t{});
  } else if (tensor.dtype == "U8") {
    read(uint8_t{});
  } else {
    std::vector<float> wide(n);
    to_f32(tensor.bytes.data(), tensor.element_type(), n, wide.data());
    for (size_t i = 0; i < n; ++i) out[i] = static_cast<T>(wide[i]);
  }
  return out;
}

/// Of two vectors of the same size, element by element.
inline double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(a[i]) - b[i]));
  }
  return worst;
}

}  // namespace unmask::testing
