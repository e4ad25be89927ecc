// One measurement of attention between blocks with random inputs, and the tables of the reference
// backend.
#pragma once

#include <vector>

#include "kernels/block_pattern.h"
#include "kernels/cuda/types.h"

namespace unmask::cuda::testing {

struct ScoresShape {
  int rows = 1;
  int n_heads = 1;
  int n_kv_heads = 1;
  int head_dim = 128;
  int block_size = 128;
  int first_generation_block = 0;
  float sharpness = 1;  // of the measuring softmax, in units of attention's
};

class ScoresCase {
 public:
  ScoresCase(const ScoresShape& shape, uint64_t seed);
  ScoresCase(const ScoresCase&) = delete;
  ScoresCase& operator=(const ScoresCase&) = delete;

  /// Pointers into this object; tables start as NaN. It gives no log-sum-exp.
  const DeviceImportance& task() const { return task_; }
  /// Room for what block_scores_workspace() asks.
  float* workspace() { return workspace_.data(); }
  /// Largest difference from the reference, relative to the mean of its table, of both tables.
  double error() const;

 private:
  std::vector<Bf16> q_, k_;
  std::vector<float> workspace_;
  BlockImportance expected_;
  BlockImportance measured_;
  DeviceImportance task_;
};

}  // namespace unmask::cuda::testing
