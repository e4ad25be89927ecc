#include "kernels/cuda/attention_case.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/dtype.h"
#include "kernels/cuda/query_tiles.h"

namespace unmask::cuda::testing {

namespace {

constexpr Bf16 kPoison = 0x7fc1;  // NaN

std::vector<Bf16> random_matrix(std::mt19937& random, int rows, int64_t stride, float spread) {
  std::normal_distribution<float> normal(0, spread);
  std::vector<Bf16> values(static_cast<size_t>(rows * stride));
  for (Bf16& value : values) value = f32_to_bf16(normal(random));
  return values;
}

}  // namespace

std::vector<int> block_ends(int rows, int keys, int block, int first) {
  std::vector<int> ends;
  ends.reserve(static_cast<size_t>(rows));
  for (int r = 0; r < rows; ++r) {
    ends.push_back(std::min(keys, ((first + r) / block + 1) * block));
  }
  return ends;
}

AttentionCase::AttentionCase(const CaseShape& shape, uint64_t seed)
    : positions_(shape.positions), ends_(shape.ends), tile_ends_(tile_ends(shape.ends)) {
  std::mt19937 random(static_cast<unsigned>(seed));
  // Rows are wider than the heads: a kernel that writes beside its columns is noticed.
  const int64_t q_stride = shape.n_heads * shape.head_dim + 8;
  const int64_t k_stride = shape.n_kv_heads * shape.head_dim + 16;
  q_ = random_matrix(random, shape.rows, q_stride, shape.spread);
  k_ = random_matrix(random, shape.keys, k_stride, 1);
  v_ = random_matrix(random, shape.keys, k_stride, 1);
  out_.assign(q_.size(), kPoison);
  lse_.assign(static_cast<size_t>(shape.n_heads) * static_cast<size_t>(shape.rows), std::nanf(""));
  task_ = {.q = q_.data(),
           .k = k_.data(),
           .v = v_.data(),
           .out = out_.data(),
           .lse = lse_.data(),
           .q_stride = q_stride,
           .k_stride = k_stride,
           .v_stride = k_stride,
           .out_stride = q_stride,
           .rows = shape.rows,
           .keys = shape.keys,
           .n_heads = shape.n_heads,
           .n_kv_heads = shape.n_kv_heads,
           .head_dim = shape.head_dim,
           .scale = 1 / std::sqrt(static_cast<float>(shape.head_dim)),
           .key_ends = ends_.empty() ? nullptr : ends_.data(),
           .tile_ends = tile_ends_.data()};
  if (shape.block_size > 0) draw_lists(shape, random);
}

void AttentionCase::draw_lists(const CaseShape& shape, std::mt19937& random) {
  const int n = (shape.keys + shape.block_size - 1) / shape.block_size;
  const int stride = std::min(n, shape.longest);
  const int lists = shape.n_heads * n;
  blocks_.assign(static_cast<size_t>(lists) * static_cast<size_t>(stride), 0xffff);
  std::vector<uint16_t> all(static_cast<size_t>(n));
  std::iota(all.begin(), all.end(), uint16_t{0});
  for (int i = 0; i < lists; ++i) {
    const int count = 1 + static_cast<int>(random() % static_cast<unsigned>(stride));
    std::shuffle(all.begin(), all.end(), random);
    uint16_t* list = blocks_.data() + static_cast<std::ptrdiff_t>(i) * stride;
    std::copy_n(all.begin(), count, list);
    std::sort(list, list + count);
    counts_.push_back(count);
  }
  task_.lists = {blocks_.data(), counts_.data(), stride, shape.block_size, n};
  if (positions_.empty()) return;
  tiles_ = query_tiles(positions_, shape.block_size);
  task_.tiles = tiles_.data();
  task_.n_tiles = static_cast<int>(tiles_.size());
}

std::vector<int> AttentionCase::seen_keys(int head, int row) const {
  std::vector<int> keys;
  if (task_.lists.blocks == nullptr) {
    const int end = ends_.empty() ? task_.keys : ends_[static_cast<size_t>(row)];
    keys.resize(static_cast<size_t>(end));
    std::iota(keys.begin(), keys.end(), 0);
    return keys;
  }
  const int size = task_.lists.block_size;
  const int position = positions_.empty() ? row : positions_[static_cast<size_t>(row)];
  const int list = head * task_.lists.n_blocks + position / size;
  const uint16_t* chosen = blocks_.data() + ptrdiff_t{list} * task_.lists.stride;
  for (int i = 0; i < counts_[static_cast<size_t>(list)]; ++i) {
    const int first = chosen[i] * size;
    for (int k = first; k < std::min(task_.keys, first + size); ++k) keys.push_back(k);
  }
  return keys;
}

AttentionCase::Expected AttentionCase::expected(int head, int row) const {
  const DeviceAttention& t = task_;
  const Bf16* q = t.q + row * t.q_stride + head * t.head_dim;
  const int64_t kv_column = head / (t.n_heads / t.n_kv_heads) * t.head_dim;
  const std::vector<int> keys = seen_keys(head, row);
  std::vector<double> scores;
  for (const int key : keys) {
    const Bf16* k = t.k + key * t.k_stride + kv_column;
    double score = 0;
    for (int d = 0; d < t.head_dim; ++d) score += double{bf16_to_f32(q[d])} * bf16_to_f32(k[d]);
    scores.push_back(score * double{t.scale});
  }
  const double largest = *std::max_element(scores.begin(), scores.end());
  Expected expected{std::vector<double>(static_cast<size_t>(t.head_dim)), 0};
  double sum = 0;
  for (size_t i = 0; i < keys.size(); ++i) {
    const double weight = std::exp(scores[i] - largest);
    const Bf16* v = t.v + keys[i] * t.v_stride + kv_column;
    sum += weight;
    for (double& x : expected.out) x += weight * double{bf16_to_f32(*v++)};
  }
  for (double& x : expected.out) x /= sum;
  expected.lse = largest + std::log(sum);
  return expected;
}

bool AttentionCase::wrote_beside_columns() const {
  const int64_t width = int64_t{task_.n_heads} * task_.head_dim;
  for (int row = 0; row < task_.rows; ++row) {
    const Bf16* line = out_.data() + row * task_.out_stride;
    if (std::count(line + width, line + task_.out_stride, kPoison) != task_.out_stride - width) {
      return true;
    }
  }
  return false;
}

namespace {

/// At most `most` of the numbers below n, the first and the last among them.
std::vector<int> spread_over(int n, int most) {
  std::vector<int> some;
  const int count = std::min(n, most);
  some.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    some.push_back(count == 1 ? 0 : static_cast<int>(int64_t{i} * (n - 1) / (count - 1)));
  }
  return some;
}

}  // namespace

Errors AttentionCase::errors(int most_rows, int most_heads) const {
  Errors errors;
  double difference = 0;
  double size = 0;
  for (const int head : spread_over(task_.n_heads, most_heads)) {
    for (const int row : spread_over(task_.rows, most_rows)) {
      const Expected right = expected(head, row);
      const Bf16* out = out_.data() + row * task_.out_stride + head * task_.head_dim;
      for (const double x : right.out) {
        const double wrong = bf16_to_f32(*out++) - x;
        difference += wrong * wrong;
        size += x * x;
      }
      const double lse = lse_[static_cast<size_t>(head) * static_cast<size_t>(task_.rows) +
                              static_cast<size_t>(row)];
      const double wrong = std::fabs(lse - right.lse) / std::max(1.0, std::fabs(right.lse));
      if (!(wrong <= errors.lse)) errors.lse = wrong;
    }
  }
  errors.relative_l2 = wrote_beside_columns() ? std::numeric_limits<double>::infinity()
                                              : std::sqrt(difference / size);
  return errors;
}

}  // namespace unmask::cuda::testing
