#include "kernels/cuda/grouped_case.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/dtype.h"

namespace unmask::cuda::testing {

namespace {

constexpr Bf16 kUnwritten = 0x7fc1;  // NaN

std::vector<Bf16> random_values(std::mt19937& random, size_t count, float spread) {
  std::normal_distribution<float> normal(0, spread);
  std::vector<Bf16> values(count);
  for (Bf16& value : values) value = f32_to_bf16(normal(random));
  return values;
}

double dot(const Bf16* a, const Bf16* b, int n) {
  double sum = 0;
  for (int i = 0; i < n; ++i) sum += double{bf16_to_f32(a[i])} * bf16_to_f32(b[i]);
  return sum;
}

}  // namespace

GroupedCase::GroupedCase(const GroupedShape& s, uint64_t seed) : shape_(s) {
  std::mt19937 random(static_cast<unsigned>(seed));
  std::vector<int32_t> all(static_cast<size_t>(s.experts));
  std::iota(all.begin(), all.end(), 0);
  for (int row = 0; row < s.rows; ++row) {
    const int fixed = random() % 8 == 0 ? 0 : std::min(s.popular, s.top_k);
    std::sort(all.begin(), all.end());
    std::shuffle(all.begin() + fixed, all.end(), random);
    std::sort(all.begin(), all.begin() + s.top_k);
    chosen_.insert(chosen_.end(), all.begin(), all.begin() + s.top_k);
  }
  const size_t choices = chosen_.size();
  begins_.assign(static_cast<size_t>(s.experts) + 1, -1);
  order_.assign(choices, -1);
  places_.assign(choices, -1);
  grouping_ = {.chosen = chosen_.data(),
               .choices = static_cast<int>(choices),
               .experts = s.experts,
               .begins = begins_.data(),
               .order = order_.data(),
               .places = places_.data()};
  const int x_stride = s.depth + 8;
  const int x_rows = s.gated ? s.rows : static_cast<int>(choices);
  const int out_stride = (s.cols + 7) / 8 * 8;
  x_ = random_values(random, static_cast<size_t>(x_rows) * static_cast<size_t>(x_stride), 1);
  out_.assign(choices * static_cast<size_t>(out_stride), kUnwritten);
  for (int e = 0; e < 2 * s.experts; ++e) {
    weights_.push_back(
        random_values(random, static_cast<size_t>(s.cols) * static_cast<size_t>(s.depth), 0.2F));
  }
  for (size_t e = 0; e < static_cast<size_t>(s.experts); ++e) {
    const Bf16* first = weights_[2 * e].data();
    const Bf16* second = weights_[2 * e + 1].data();
    table_.push_back(
        {s.gated ? first : nullptr, s.gated ? second : nullptr, s.gated ? nullptr : first});
  }
  product_ = {.weights = table_.data(),
              .gated = s.gated,
              .begins = begins_.data(),
              .x = x_.data(),
              .x_stride = x_stride,
              .order = s.gated ? order_.data() : nullptr,
              .top_k = s.top_k,
              .out = out_.data(),
              .out_stride = out_stride,
              .cols = s.cols,
              .depth = s.depth,
              .choices = static_cast<int>(choices),
              .experts = s.experts};
}

bool GroupedCase::is_sorted() const {
  std::vector<int32_t> order(chosen_.size());
  std::iota(order.begin(), order.end(), 0);
  const auto expert = [&](int32_t choice) { return chosen_[static_cast<size_t>(choice)]; };
  std::stable_sort(order.begin(), order.end(),
                   [&](int32_t a, int32_t b) { return expert(a) < expert(b); });
  if (order != order_) return false;
  for (size_t place = 0; place < order.size(); ++place) {
    if (places_[static_cast<size_t>(order[place])] != static_cast<int32_t>(place)) return false;
  }
  for (int e = 0; e <= shape_.experts; ++e) {
    const auto before = std::count_if(chosen_.begin(), chosen_.end(), [&](int c) { return c < e; });
    if (begins_[static_cast<size_t>(e)] != before) return false;
  }
  return true;
}

double GroupedCase::expected(int expert, const Bf16* x, int col) const {
  if (col >= shape_.cols) return 0;
  const size_t row = static_cast<size_t>(col) * static_cast<size_t>(shape_.depth);
  const auto* gate = weights_.data() + ptrdiff_t{expert} * 2;
  const double first = dot(gate->data() + row, x, shape_.depth);
  if (!shape_.gated) return first;
  return first / (1 + std::exp(-first)) * dot(gate[1].data() + row, x, shape_.depth);
}

double GroupedCase::error() const {
  double difference = 0;
  double size = 0;
  for (int e = 0; e < shape_.experts; ++e) {
    for (int place = begins_[static_cast<size_t>(e)]; place < begins_[static_cast<size_t>(e) + 1];
         ++place) {
      const int row = shape_.gated ? order_[static_cast<size_t>(place)] / shape_.top_k : place;
      const Bf16* out = out_.data() + int64_t{place} * product_.out_stride;
      for (int col = 0; col < product_.out_stride; ++col) {
        const double right = expected(e, x_.data() + row * product_.x_stride, col);
        difference += std::pow(bf16_to_f32(out[col]) - right, 2);
        size += right * right;
      }
    }
  }
  return std::sqrt(difference / size);
}

}  // namespace unmask::cuda::testing
