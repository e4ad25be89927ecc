#include "kernels/cuda/scores_case.h"

#include <algorithm>
#include <cmath>

#include "core/dtype.h"
#include "kernels/create_backend.h"
#include "support/random_tensor.h"

namespace unmask::cuda::testing {

namespace {

using unmask::testing::RandomTensor;

/// The tensor's values as bfloat16; the tensor keeps what they stand for.
std::vector<Bf16> narrowed(const RandomTensor& tensor) {
  const Tensor view = tensor.view();
  std::vector<Bf16> values;
  for (int r = 0; r < view.rows; ++r) {
    for (int c = 0; c < view.cols; ++c) {
      values.push_back(f32_to_bf16(view.f32(r)[c]));
      view.f32(r)[c] = bf16_to_f32(values.back());
    }
  }
  return values;
}

double largest_difference(const std::vector<float>& got, const std::vector<float>& expected) {
  double total = 0;
  for (const float x : expected) total += x;
  const double mean = total / static_cast<double>(expected.size());
  double largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double wrong = std::fabs(double{got[i]} - expected[i]) / mean;
    if (!(wrong <= largest)) largest = wrong;
  }
  return largest;
}

}  // namespace

ScoresCase::ScoresCase(const ScoresShape& s, uint64_t seed) {
  std::mt19937 random(static_cast<unsigned>(seed));
  const RandomTensor q(random, s.rows, s.n_heads * s.head_dim, 0, 2);
  const RandomTensor k(random, s.rows, s.n_kv_heads * s.head_dim);
  const RandomTensor out(random, s.rows, s.n_heads * s.head_dim);
  q_ = narrowed(q);
  k_ = narrowed(k);
  const float scale = s.sharpness / std::sqrt(static_cast<float>(s.head_dim));
  expected_.block_size = s.block_size;
  expected_.scale = scale;
  expected_.first_generation_block = s.first_generation_block;
  expected_.reset(s.n_heads, s.rows);
  const AttentionTask dense{
      .q = q.view(), .kv = {k.view(), k.view()}, .out = out.view(), .importance = &expected_};
  create_reference_backend()->attention({&dense, 1}, {s.n_heads, s.n_kv_heads, s.head_dim});
  measured_ = expected_;
  std::fill(measured_.all.begin(), measured_.all.end(), std::nanf(""));
  std::fill(measured_.generation.begin(), measured_.generation.end(), std::nanf(""));
  workspace_.assign(2 * static_cast<size_t>(s.n_heads * s.rows), std::nanf(""));
  task_ = {.q = q_.data(),
           .k = k_.data(),
           .q_stride = s.n_heads * s.head_dim,
           .k_stride = s.n_kv_heads * s.head_dim,
           .rows = s.rows,
           .n_heads = s.n_heads,
           .n_kv_heads = s.n_kv_heads,
           .head_dim = s.head_dim,
           .scale = scale,
           .block_size = s.block_size,
           .first_generation_block = s.first_generation_block,
           .all = measured_.all.data(),
           .generation = measured_.generation.data()};
}

double ScoresCase::error() const {
  return largest_difference(measured_.all, expected_.all) +
         largest_difference(measured_.generation, expected_.generation);
}

}  // namespace unmask::cuda::testing
