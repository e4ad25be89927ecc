// How weights become int8 and int4: the bytes of a plain packer under every instruction set.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <vector>

#include "kernels/cpu/variants.h"
#include "kernels/cpu/weight_layout.h"
#include "support/isa.h"

namespace unmask {
namespace {

using cpu::WeightLayout;

constexpr int kGroup = cpu::kBlockGroup;
constexpr int kInt4GroupBytes = 576;  // of 32 columns: 512 of codes, 64 of scales
constexpr int kInt4CodeBytes = 512;

struct PlainGroup {
  uint16_t scale;
  int codes[kGroup];
};

/// The best of nine scales, tried one after the other.
PlainGroup plain_group(const float* values) {
  const float largest = *std::max_element(
      values, values + kGroup, [](float a, float b) { return std::abs(a) < std::abs(b); });
  PlainGroup best{};  // of zeros where half precision is too small for every scale
  std::fill_n(best.codes, kGroup, 8);
  float least = std::numeric_limits<float>::infinity();
  for (const float steps : {-8.0F, -7.5F, -8.5F, -7.0F, -9.0F, 7.0F, 7.5F, 6.5F, 6.0F}) {
    PlainGroup group{f32_to_f16(largest / steps), {}};
    const float scale = f16_to_f32(group.scale);
    const float inverse = scale == 0 ? 0 : 1 / scale;
    float error = 0;
    for (int k = 0; k < kGroup; ++k) {
      const float rounded = std::nearbyint(std::clamp(values[k] * inverse, -8.0F, 7.0F));
      const float difference = values[k] - rounded * scale;
      const float square = difference * difference;
      error += square;
      group.codes[k] = static_cast<int>(rounded) + 8;
    }
    if (error < least) {
      least = error;
      best = group;
    }
  }
  return best;
}

struct Matrix {
  Matrix(int rows, int columns)
      : out(rows), in(columns), values(static_cast<size_t>(rows) * static_cast<size_t>(columns)) {}
  float* row(int r) { return values.data() + static_cast<ptrdiff_t>(r) * in; }
  HostMatrix view() const { return {values.data(), DType::f32, out, in}; }

  int out;
  int in;
  std::vector<float> values;
};

class WeightPacking : public ::testing::TestWithParam<std::string> {
 protected:
  std::vector<std::byte> packed(const WeightLayout& layout, const HostMatrix& matrix) const {
    const int depth = layout.padded(matrix.in);
    std::vector<std::byte> panel(layout.panel_bytes(depth));
    layout.pack(matrix, {0, matrix.out}, depth, cpu::select_variant(GetParam()).table(),
                panel.data());
    return panel;
  }

  void expect_plain_int4(Matrix matrix) const {
    const std::vector<std::byte> panel = packed(cpu::kInt4Layout, matrix.view());
    for (int c = 0; c < matrix.out; ++c) {
      for (int g = 0; g * kGroup < matrix.in; ++g) {
        float values[kGroup] = {};
        std::copy_n(matrix.row(c) + g * kGroup, std::min(kGroup, matrix.in - g * kGroup), values);
        const PlainGroup expected = plain_group(values);
        const auto* group = reinterpret_cast<const uint8_t*>(panel.data()) + g * kInt4GroupBytes;
        uint16_t scale;
        std::memcpy(&scale, group + kInt4CodeBytes + 2 * c, sizeof scale);
        ASSERT_EQ(scale, expected.scale) << "column " << c << " group " << g;
        for (int k = 0; k < kGroup; ++k) {
          const int both = group[(k / 8 * 32 + c) * 4 + k % 4];
          ASSERT_EQ(k % 8 < 4 ? both % 16 : both / 16, expected.codes[k])
              << "column " << c << " group " << g << " element " << k;
        }
      }
    }
  }

  void expect_plain_int8(Matrix matrix) const {
    const std::vector<std::byte> panel = packed(cpu::kInt8Layout, matrix.view());
    const int depth = cpu::kInt8Layout.padded(matrix.in);
    const auto* bytes = reinterpret_cast<const uint8_t*>(panel.data());
    for (int c = 0; c < matrix.out; ++c) {
      const float* row = matrix.row(c);
      float largest = 0;
      for (int k = 0; k < matrix.in; ++k) largest = std::max(largest, std::abs(row[k]));
      const float inverse = std::isfinite(127 / largest) ? 127 / largest : 0;
      float scale;
      std::memcpy(&scale, bytes + 64 * depth + 4 * c, sizeof scale);
      ASSERT_EQ(scale, largest / 127) << "column " << c;
      for (int k = 0; k < depth; ++k) {
        const float value = k < matrix.in ? row[k] : 0;
        ASSERT_EQ(bytes[k / 4 * 256 + c * 4 + k % 4], std::nearbyint(value * inverse) + 128)
            << "column " << c << " element " << k;
      }
    }
  }

  std::mt19937 random_{19};
};

/// Random matrices of odd shapes and of all magnitudes, in which some groups are zero, subnormal,
/// symmetric or too large for half precision.
std::vector<Matrix> matrices(std::mt19937& random) {
  std::vector<Matrix> all;
  std::normal_distribution<float> normal;
  for (const auto& [out, in] :
       {std::pair{1, 1}, {32, 32}, {7, 33}, {32, 1000}, {31, 96}, {5, 4097}}) {
    Matrix matrix(out, in);
    for (int r = 0; r < out; ++r) {
      const int kind = static_cast<int>(random() % 8);
      const float size = std::ldexp(1.0F, static_cast<int>(random() % 40) - 25);
      for (int k = 0; k < in; ++k) {
        float& value = matrix.row(r)[k];
        value = normal(random) * size;
        if (kind == 0 || k / kGroup % 7 == 3) value = k % 2 == 0 ? 0.0F : -0.0F;
        if (kind == 1) value *= 0x1p-120F;                  // float32's subnormals
        if (kind == 2) value = normal(random) * 0x1p-20F;   // half precision's
        if (kind == 3) value = std::round(normal(random));  // ties of magnitude and of errors
        if (kind == 4) value = k % 5 == 1 ? 1e6F * normal(random) : normal(random);
      }
    }
    all.push_back(std::move(matrix));
  }
  return all;
}

TEST_P(WeightPacking, OfInt4IsThatOfThePlainSearch) {
  for (int i = 0; i < 4; ++i) {
    for (const Matrix& matrix : matrices(random_)) {
      SCOPED_TRACE(fmt::format("{} x {}", matrix.out, matrix.in));
      expect_plain_int4(matrix);
    }
  }
}

TEST_P(WeightPacking, OfInt8IsThatOfThePlainRounding) {
  for (int i = 0; i < 4; ++i) {
    for (const Matrix& matrix : matrices(random_)) {
      SCOPED_TRACE(fmt::format("{} x {}", matrix.out, matrix.in));
      expect_plain_int8(matrix);
    }
  }
}

/// Loading refuses them; a packer that meets them keeps them where they are.
TEST_P(WeightPacking, WhatIsNoNumberHarmsItsGroupOnly) {
  Matrix matrix(3, 96);
  std::normal_distribution<float> normal;
  for (float& value : matrix.values) value = normal(random_);
  matrix.row(0)[40] = std::numeric_limits<float>::quiet_NaN();
  matrix.row(1)[70] = std::numeric_limits<float>::infinity();
  const std::vector<std::byte> panel = packed(cpu::kInt4Layout, matrix.view());
  for (int c = 0; c < 3; ++c) {
    for (int g = 0; g < 3; ++g) {
      uint16_t scale;
      std::memcpy(&scale, panel.data() + g * kInt4GroupBytes + kInt4CodeBytes + 2 * c,
                  sizeof scale);
      const bool harmed = (c == 0 && g == 1) || (c == 1 && g == 2);
      EXPECT_EQ(scale, harmed ? 0 : plain_group(matrix.row(c) + g * kGroup).scale)
          << c << ", " << g;
    }
  }
  matrix.row(1)[70] = 1;
  const std::vector<std::byte> bytes = packed(cpu::kInt8Layout, matrix.view());
  EXPECT_EQ(bytes[40 / 4 * 256], std::byte{128});  // 0
  matrix.row(0)[40] = 0;
  EXPECT_EQ(bytes, packed(cpu::kInt8Layout, matrix.view()));
}

INSTANTIATE_TEST_SUITE_P(Isa, WeightPacking, ::testing::ValuesIn(testing::isa_levels()),
                         testing::isa_test_name);

}  // namespace
}  // namespace unmask
