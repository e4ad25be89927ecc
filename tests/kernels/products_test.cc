// Our own packed products under every instruction set that this machine has, on shapes that no
// panel, tile or block divides.
#include "kernels/cpu/products.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

#include "kernels/product_kernels.h"
#include "support/random_tensor.h"

namespace unmask {
namespace {

using testing::kernel_table;
using testing::RandomTensor;

struct Shape {
  int rows, in, out;
};

// Around panels of 64 or 32 columns, tiles of 6 rows, depth blocks of 1024 and 2048, groups of 32
// and 256, row blocks of 128.
constexpr Shape kShapes[] = {{1, 1, 1},     {2, 3, 65},    {6, 64, 64},   {13, 70, 130},
                             {7, 1025, 67}, {27, 300, 40}, {257, 37, 70}, {1, 2500, 100},
                             {25, 2049, 6}, {300, 32, 9}};

double largest(const float* values, int n) {
  double most = 0;
  for (int i = 0; i < n; ++i) most = std::max(most, std::abs(static_cast<double>(values[i])));
  return most;
}

/// Most that rounding to `type` moves each of the `n` elements of a row of inputs or of weights.
std::vector<double> roundings(WeightType type, bool weights, const float* row, int n) {
  std::vector<double> most(static_cast<size_t>(n));
  if (type == WeightType::f32) return most;
  const int quantized = type == WeightType::int8 ? n : weights ? 32 : 256;  // columns a scale
  const int group = type == WeightType::bf16 ? 1 : quantized;
  for (int begin = 0; begin < n; begin += group) {
    const int end = std::min(begin + group, n);
    double step = largest(row + begin, end - begin);
    if (type == WeightType::bf16) {
      step *= 0x1p-8;
    } else if (type == WeightType::int4 && weights) {
      step *= 1.01 / 8;  // the largest becomes -8, and its mirror image is cut to 7
    } else {
      step *= 0.5 / 127;
    }
    std::fill(most.begin() + begin, most.begin() + end, step);
  }
  return most;
}

using TypeCase = std::tuple<std::string, WeightType>;  // instruction set, type

class PackedProducts : public ::testing::TestWithParam<TypeCase> {
 protected:
  void SetUp() override {
    products_ = create(std::get<0>(GetParam()), pool_);
    ASSERT_NE(products_, nullptr);
  }
  static WeightType type() { return std::get<1>(GetParam()); }
  /// What inputs are rounded to.
  static WeightType input_type() {
    const bool narrow = kernel_table(std::get<0>(GetParam())).bf16_inputs;
    return type() == WeightType::bf16 && !narrow ? WeightType::f32 : type();
  }
  static std::unique_ptr<cpu::Products> create(const std::string& isa, ThreadPool& pool) {
    return cpu::create_packed_products(type(), kernel_table(isa), pool);
  }
  static void multiply(cpu::Products& by, Tensor x, const LinearMap& map) {
    by.multiply(x, std::span(&map, 1));
  }
  void multiply(const RandomTensor& x, const RandomTensor& w, Tensor bias, const RandomTensor& y) {
    const auto packed = products_->pack(w.matrix());
    multiply(*products_, x.view(), {packed.get(), y.view(), bias});
  }
  /// Every row of `a` is bit for bit that of `b`.
  static void expect_same(Tensor a, Tensor b) {
    for (int r = 0; r < a.rows; ++r) {
      for (int c = 0; c < a.cols; ++c) {
        ASSERT_EQ(std::bit_cast<uint32_t>(a.f32(r)[c]), std::bit_cast<uint32_t>(b.f32(r)[c]))
            << "row " << r << " column " << c;
      }
    }
  }

  std::mt19937 random_{3};
  ThreadPool pool_{3};
  std::unique_ptr<cpu::Products> products_;
};

/// Operands move by at most half a step of their rounding, and float32 sums of n terms by
/// n * eps * sum |x w|.
TEST_P(PackedProducts, StayWithinTheRoundingOfTheirOperands) {
  for (const auto& [rows, in, out] : kShapes) {
    SCOPED_TRACE(fmt::format("{} x {} x {}", rows, in, out));
    const RandomTensor x(random_, rows, in, 5);
    const RandomTensor w(random_, out, in);
    const RandomTensor bias(random_, 1, out);
    const RandomTensor y(random_, rows, out);
    multiply(x, w, bias.view(), y);
    const int step = std::max(1, rows * out / 500);  // a sample, and each in its place
    for (int i = 0; i < rows * out; i += step) {
      const float* a = x.view().f32(i / out);
      const float* b = w.view().f32(i % out);
      double sum = bias.view().f32()[i % out];
      double bound = (in + 1) * 6e-8 * std::abs(sum);
      const std::vector<double> a_moves = roundings(input_type(), false, a, in);
      const std::vector<double> b_moves = roundings(type(), true, b, in);
      for (int k = 0; k < in; ++k) {
        const double da = a_moves[static_cast<size_t>(k)];
        const double db = b_moves[static_cast<size_t>(k)];
        sum += static_cast<double>(a[k]) * b[k];
        bound += std::abs(a[k]) * db + std::abs(b[k]) * da + da * db;
        bound += (in + 1) * 6e-8 * std::abs(static_cast<double>(a[k]) * b[k]);
      }
      ASSERT_NEAR(y.view().f32(i / out)[i % out], sum, bound) << "element " << i;
    }
  }
}

/// Whole numbers whose scales are 1 are not rounded at all: sums below 2^24 are exact.
TEST_P(PackedProducts, OfWholeNumbersAreExact) {
  std::uniform_int_distribution<int> input(-127, 127);
  std::uniform_int_distribution<int> weight(-8, 7);
  for (const auto& [rows, in, out] : kShapes) {
    SCOPED_TRACE(fmt::format("{} x {} x {}", rows, in, out));
    const RandomTensor x(random_, rows, in);
    const RandomTensor w(random_, out, in);
    const RandomTensor y(random_, rows, out);
    const auto fill = [&](Tensor t, auto& values, int group, int extreme) {
      for (int i = 0; i < t.rows * t.cols; ++i) {
        t.f32()[i] = static_cast<float>(i % t.cols % group == 0 ? extreme : values(random_));
      }
    };
    fill(x.view(), input, 256, 127);
    if (type() == WeightType::int8) {
      fill(w.view(), input, in, -127);
    } else {
      fill(w.view(), weight, 32, -8);
    }
    multiply(x, w, {}, y);
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < out; ++c) {
        int64_t sum = 0;
        for (int k = 0; k < in; ++k) {
          sum +=
              static_cast<int64_t>(x.view().f32(r)[k]) * static_cast<int64_t>(w.view().f32(c)[k]);
        }
        ASSERT_LT(std::abs(sum), 1 << 24);
        ASSERT_EQ(y.view().f32(r)[c], static_cast<float>(sum)) << r << ", " << c;
      }
    }
  }
}

TEST_P(PackedProducts, LeaveWhatLiesBesideTheResult) {
  const RandomTensor x(random_, 20, 70);
  const RandomTensor w(random_, 90, 70);
  const RandomTensor y(random_, 20, 90, 7);
  const std::vector<float> before = y.values();
  multiply(x, w, {}, y);
  for (size_t i = 0; i < before.size(); ++i) {
    if (i % 97 < 90) continue;
    ASSERT_EQ(y.values()[i], before[i]) << i;
  }
}

TEST_P(PackedProducts, RowsDoNotDependOnTheirNeighboursOrThreads) {
  constexpr int kRows = 270;
  constexpr int kOut = 140;
  const RandomTensor x(random_, kRows, 1100);
  const RandomTensor w(random_, kOut, 1100);
  const RandomTensor all(random_, kRows, kOut);
  multiply(x, w, {}, all);
  ThreadPool one(1);
  const auto alone = create(std::get<0>(GetParam()), one);
  const auto packed = alone->pack(w.matrix());
  for (const Range rows : {Range{0, 1}, Range{269, 270}, Range{3, 10}, Range{17, 50}}) {
    SCOPED_TRACE(fmt::format("rows {} to {}", rows.begin, rows.end));
    const RandomTensor part(random_, rows.size(), kOut);
    multiply(*alone, x.view().slice(rows), {packed.get(), part.view()});
    expect_same(part.view(), all.view().slice(rows));
  }
}

/// Two maps into the same memory and one beside them, on both sides of the depth and row blocks.
TEST_P(PackedProducts, WithUsesEqualProductsFollowedByThem) {
  for (const auto& [rows, in, out] : {Shape{7, 90, 130}, Shape{300, 40, 70}, Shape{20, 2100, 66}}) {
    SCOPED_TRACE(fmt::format("{} x {} x {}", rows, in, out));
    const RandomTensor x(random_, rows, in);
    const RandomTensor w[] = {{random_, out, in}, {random_, out, in}, {random_, out, in}};
    const RandomTensor bias(random_, 1, out);
    const RandomTensor y[] = {{random_, rows, out}, {random_, rows, out}, {random_, rows, out}};
    std::unique_ptr<PackedMatrix> packed[3];
    for (size_t i = 0; i < 3; ++i) {
      packed[i] = products_->pack(w[i].matrix());
      multiply(*products_, x.view(), {packed[i].get(), y[i].view(), bias.view()});
    }
    const RandomTensor sum(random_, rows, out, 5);
    RandomTensor expected_sum(sum);
    const cpu::KernelTable& table = kernel_table(std::get<0>(GetParam()));
    for (int r = 0; r < rows; ++r) {
      table.add(expected_sum.view().f32(r), y[2].view().f32(r), out);
      table.swiglu(y[0].view().f32(r), y[1].view().f32(r), out);
    }
    const RandomTensor gated(random_, rows, out, 9);
    const LinearMap maps[] = {{packed[0].get(), gated.view(), bias.view()},
                              {packed[1].get(), gated.view(), bias.view(), Into::gate},
                              {packed[2].get(), sum.view(), bias.view(), Into::add}};
    products_->multiply(x.view(), maps);
    expect_same(gated.view(), y[0].view());
    expect_same(sum.view(), expected_sum.view());
  }
}

/// Where multiply-adds are fused, which all sets but the plain one do.
TEST_P(PackedProducts, OfFloatsAreTheSameWithRegistersOfAnyWidth) {
  const std::string isa = std::get<0>(GetParam());
  const std::vector<std::string> names = cpu_kernel_names();
  if (input_type() != WeightType::f32 || isa == "plain" || names.size() < 3) return;
  const auto narrow = create(names[names.size() - 2], pool_);  // the one before plain
  for (const auto& [rows, in, out] : kShapes) {
    SCOPED_TRACE(fmt::format("{} x {} x {}", rows, in, out));
    const RandomTensor x(random_, rows, in);
    const RandomTensor w(random_, out, in);
    const RandomTensor bias(random_, 1, out);
    const RandomTensor a(random_, rows, out);
    const RandomTensor b(random_, rows, out);
    multiply(x, w, bias.view(), a);
    const auto packed = narrow->pack(w.matrix());
    multiply(*narrow, x.view(), {packed.get(), b.view(), bias.view()});
    expect_same(a.view(), b.view());
  }
}

using QuantizedProducts = PackedProducts;

TEST_P(QuantizedProducts, AreTheSameUnderEveryInstructionSet) {
  const auto plain = create("plain", pool_);
  for (const auto& [rows, in, out] : kShapes) {
    SCOPED_TRACE(fmt::format("{} x {} x {}", rows, in, out));
    const RandomTensor x(random_, rows, in);
    const RandomTensor w(random_, out, in);
    const RandomTensor bias(random_, 1, out);
    const RandomTensor a(random_, rows, out);
    const RandomTensor b(random_, rows, out);
    multiply(x, w, bias.view(), a);
    const auto packed = plain->pack(w.matrix());
    multiply(*plain, x.view(), {packed.get(), b.view(), bias.view()});
    expect_same(a.view(), b.view());
  }
}

TEST_P(PackedProducts, OfZerosAreTheBias) {
  const RandomTensor x(random_, 3, 40, 0, 0);
  const RandomTensor w(random_, 5, 40, 0, 0);
  const RandomTensor bias(random_, 1, 5);
  const RandomTensor y(random_, 3, 5);
  multiply(x, w, bias.view(), y);
  for (int r = 0; r < 3; ++r) expect_same(y.view().slice({r, r + 1}), bias.view());
}

/// Those of int4 begin anew every 32 columns.
TEST_P(QuantizedProducts, RefuseDepthsWhoseSumsMayOverflow) {
  const std::vector<uint16_t> row(131073);
  const HostMatrix matrix{row.data(), DType::bf16, 1, 131073};
  if (type() == WeightType::int4) {
    EXPECT_NO_THROW(products_->pack(matrix));
  } else {
    EXPECT_THROW(products_->pack(matrix), Error);
  }
}

std::string case_name(const ::testing::TestParamInfo<TypeCase>& info) {
  return std::get<0>(info.param) + "_" + std::string(weight_type_name(std::get<1>(info.param)));
}

std::vector<TypeCase> quantized_cases() {
  std::vector<TypeCase> cases;
  for (const std::string& isa : testing::product_kernels()) {
    for (const WeightType type : {WeightType::int8, WeightType::int4})
      cases.emplace_back(isa, type);
  }
  return cases;
}

std::vector<TypeCase> all_cases() {
  std::vector<TypeCase> cases = quantized_cases();
  for (const std::string& isa : testing::product_kernels()) {
    for (const WeightType type : {WeightType::f32, WeightType::bf16}) cases.emplace_back(isa, type);
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Isa, PackedProducts, ::testing::ValuesIn(all_cases()), case_name);
INSTANTIATE_TEST_SUITE_P(Isa, QuantizedProducts, ::testing::ValuesIn(quantized_cases()), case_name);

}  // namespace
}  // namespace unmask
