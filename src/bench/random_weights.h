// Normally distributed weights that depend on seed, tensor name and element alone.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/dtype.h"
#include "model/families.h"

namespace unmask {

class RandomWeights {
 public:
  /// `dtype` is f32 or bf16. Throws Error otherwise.
  RandomWeights(uint64_t seed, DType dtype);

  DType dtype() const { return dtype_; }

  /// Writes the elements of `tensor` from `first` on, as many as `out` holds; `first` must be a
  /// multiple of 8. Matrices and biases have standard deviation 0.02, norm weights are about 1.
  void fill(const TensorSpec& tensor, int64_t first, std::span<std::byte> out) const;

 private:
  uint64_t seed_;
  DType dtype_;
  std::vector<uint32_t> centred_;  // quantiles of the distribution as bits of `dtype`
  std::vector<uint32_t> norms_;    // the same around 1
};

}  // namespace unmask
