#include "bench/random_weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "core/random.h"
#include "io/fnv1a.h"

namespace unmask {

namespace {

constexpr double kDeviation = 0.02;  // init_std of the published configurations
constexpr size_t kQuantiles = 1 << 16;
constexpr size_t kPerDraw = 8;  // 16-bit indices in the 128 bits of one draw

/// The x with normal distribution function p, p > 0.5, by bisection: runs once per table entry.
double upper_quantile(double p) {
  double low = 0;
  double high = 8;
  for (int i = 0; i < 50; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(-middle / std::sqrt(2.0)) / 2 < p ? low : high) = middle;
  }
  return low;
}

std::vector<uint32_t> quantile_bits(double mean, DType dtype) {
  std::vector<uint32_t> table(kQuantiles);
  const auto bits = [&](double x) -> uint32_t {
    const auto value = static_cast<float>(mean + kDeviation * x);
    return dtype == DType::bf16 ? f32_to_bf16(value) : std::bit_cast<uint32_t>(value);
  };
  for (size_t i = kQuantiles / 2; i < kQuantiles; ++i) {
    const double x = upper_quantile((static_cast<double>(i) + 0.5) / kQuantiles);
    table[i] = bits(x);
    table[kQuantiles - 1 - i] = bits(-x);
  }
  return table;
}

template <typename Bits>
void fill_as(const std::vector<uint32_t>& table, uint64_t seed, uint64_t key, uint64_t draw,
             std::span<std::byte> out) {
  const Philox random(seed);
  const auto key_low = static_cast<uint32_t>(key);
  const auto key_high = static_cast<uint32_t>(key >> 32);
  std::array<Bits, kPerDraw> values;
  while (!out.empty()) {
    const auto bits =
        random(static_cast<uint32_t>(draw), static_cast<uint32_t>(draw >> 32), key_low, key_high);
    for (size_t i = 0; i < bits.size(); ++i) {
      values[2 * i] = static_cast<Bits>(table[bits[i] & 0xffffU]);
      values[2 * i + 1] = static_cast<Bits>(table[bits[i] >> 16]);
    }
    const size_t count = std::min(out.size(), sizeof values);
    std::memcpy(out.data(), values.data(), count);
    out = out.subspan(count);
    ++draw;
  }
}

}  // namespace

RandomWeights::RandomWeights(uint64_t seed, DType dtype) : seed_(seed), dtype_(dtype) {
  if (dtype != DType::f32 && dtype != DType::bf16) {
    fail("[weights] {} cannot be written; use f32 or bf16", dtype_name(dtype));
  }
  centred_ = quantile_bits(0, dtype);
  norms_ = quantile_bits(1, dtype);
}

void RandomWeights::fill(const TensorSpec& tensor, int64_t first, std::span<std::byte> out) const {
  UNMASK_CHECK(first >= 0 && first % kPerDraw == 0, "elements are drawn eight at a time");
  const bool is_norm = tensor.role == TensorRole::attn_norm ||
                       tensor.role == TensorRole::ffn_norm || tensor.role == TensorRole::final_norm;
  const auto& table = is_norm ? norms_ : centred_;
  const auto fill_bits = dtype_ == DType::bf16 ? fill_as<uint16_t> : fill_as<uint32_t>;
  fill_bits(table, seed_, fnv1a(tensor.name), static_cast<uint64_t>(first) / kPerDraw, out);
}

}  // namespace unmask
