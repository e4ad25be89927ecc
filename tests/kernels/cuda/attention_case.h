// One call of attention with random inputs, its float64 result, and how far a kernel's lies from
// it.
#pragma once

#include <climits>
#include <cstdint>
#include <random>
#include <vector>

#include "kernels/cuda/types.h"

namespace unmask::cuda::testing {

struct CaseShape {
  int rows = 1;
  int keys = 1;
  int n_heads = 1;
  int n_kv_heads = 1;
  int head_dim = 128;
  int block_size = 0;  // 0: dense; else rows are positions, or `positions` are
  int longest = 4;     // of the lists
  std::vector<int> positions{};
  std::vector<int> ends{};  // of the keys that rows see
  float spread = 1;         // standard deviation of the queries
};

/// Ends of `keys` keys as a block-causal model has them for rows that begin at position `first`.
std::vector<int> block_ends(int rows, int keys, int block, int first = 0);

struct Errors {
  double relative_l2 = 0;  // of the outputs
  double lse = 0;          // largest difference, relative where the value exceeds 1
};

class AttentionCase {
 public:
  AttentionCase(const CaseShape& shape, uint64_t seed);
  AttentionCase(const AttentionCase&) = delete;
  AttentionCase& operator=(const AttentionCase&) = delete;

  /// Pointers into this object; outputs start as NaN.
  const DeviceAttention& task() const { return task_; }
  /// Compares the outputs of at most so many rows and heads, spread over all. NaN where one was not
  /// written; infinite where something else was.
  Errors errors(int most_rows = INT_MAX, int most_heads = INT_MAX) const;

 private:
  struct Expected {
    std::vector<double> out;  // [head_dim]
    double lse = 0;
  };
  std::vector<int> seen_keys(int head, int row) const;
  Expected expected(int head, int row) const;
  bool wrote_beside_columns() const;
  void draw_lists(const CaseShape& shape, std::mt19937& random);

  std::vector<Bf16> q_, k_, v_, out_;
  std::vector<float> lse_;
  std::vector<uint16_t> blocks_;
  std::vector<int32_t> counts_;
  std::vector<int> positions_;
  std::vector<int> ends_;
  std::vector<KeyEnds> tile_ends_;
  std::vector<QueryTile> tiles_;
  DeviceAttention task_;
};

}  // namespace unmask::cuda::testing
