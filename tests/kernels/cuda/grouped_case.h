// Rows that take random experts, the products of these, and how far a device's lie from float64.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "kernels/cuda/experts.h"

namespace unmask::cuda::testing {

struct GroupedShape {
  int rows = 1;
  int experts = 1;
  int top_k = 1;
  int cols = 64;  // of weights
  int depth = 64;
  bool gated = true;
  int popular = 0;  // experts that most rows take first; 0: all alike
};

class GroupedCase {
 public:
  GroupedCase(const GroupedShape& shape, uint64_t seed);
  GroupedCase(const GroupedCase&) = delete;
  GroupedCase& operator=(const GroupedCase&) = delete;

  /// Pointers into this object; results start as -1 and NaN.
  const DeviceGrouping& grouping() const { return grouping_; }
  /// With the places of the grouping, which has to run first.
  const GroupedProduct& product() const { return product_; }
  /// Of every expert, dense: [experts * cols, depth], gates, ups or downs.
  const std::vector<std::vector<Bf16>>& weights() const { return weights_; }

  bool is_sorted() const;
  /// Relative L2 norm; NaN where something was not written.
  double error() const;

 private:
  double expected(int expert, const Bf16* x, int col) const;

  GroupedShape shape_;
  std::vector<int32_t> chosen_, begins_, order_, places_;
  std::vector<Bf16> x_, out_;
  std::vector<std::vector<Bf16>> weights_;
  std::vector<DeviceExpert> table_;
  DeviceGrouping grouping_;
  GroupedProduct product_;
};

}  // namespace unmask::cuda::testing
