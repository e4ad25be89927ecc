// Random matrices for tests.
#pragma once

#include <random>
#include <vector>

#include "kernels/backend.h"

namespace unmask::testing {

/// `rows` x `cols` normally distributed values, rows `padding` elements further apart than needed.
class RandomTensor {
 public:
  RandomTensor(std::mt19937& random, int rows, int cols, int padding = 0, float scale = 1)
      : values_(static_cast<size_t>(rows) * static_cast<size_t>(cols + padding)),
        view_{values_.data(), DType::f32, rows, cols, cols + padding} {
    std::normal_distribution<float> normal(0, scale);
    for (float& v : values_) v = normal(random);
  }
  RandomTensor(const RandomTensor& other) : values_(other.values_), view_(other.view_) {
    view_.data = values_.data();
  }
  RandomTensor& operator=(const RandomTensor&) = delete;

  Tensor view() const { return view_; }
  const std::vector<float>& values() const { return values_; }
  HostMatrix matrix() const {
    return {values_.data(), DType::f32, view_.rows, view_.cols, view_.stride};
  }

 private:
  std::vector<float> values_;
  Tensor view_;
};

}  // namespace unmask::testing
