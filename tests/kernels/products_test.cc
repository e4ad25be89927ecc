// Our own packed products: against exact sums of the same rounded operands, and every row by
// itself, on shapes that no panel, tile or block divides.
#include "kernels/cpu/products.h"

#include <array>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

#include "support/isa.h"
#include "support/random_tensor.h"

namespace unmask {
namespace {

using testing::RandomTensor;

struct Shape {
  int rows, in, out;
};

// Around panels of 64 columns, tiles of 6 rows, depth blocks of 1024 and row blocks of 128.
constexpr Shape kShapes[] = {{1, 1, 1},     {2, 3, 65},     {6, 64, 64},    {13, 70, 130},
                             {32, 200, 63}, {7, 1025, 129}, {27, 1030, 40}, {64, 33, 300},
                             {257, 97, 70}, {300, 40, 20},  {1, 2500, 200}, {25, 2049, 66}};

float rounded(float value) { return bf16_to_f32(f32_to_bf16(value)); }

class Bf16Products : public ::testing::Test {
 protected:
  void SetUp() override {
    if (products_ == nullptr) GTEST_SKIP() << "this processor has no vdpbf16ps";
  }
  std::mt19937 random_{3};
  ThreadPool pool_{3};
  std::unique_ptr<cpu::Products> products_ = cpu::create_bf16_products(cpu::select_table(), pool_);
};

/// Float32 sums of n products, in any order: n * eps * sum |x w|, and the bias once more.
TEST_F(Bf16Products, AreSumsOfRoundedOperands) {
  for (const auto& [rows, in, out] : kShapes) {
    SCOPED_TRACE(fmt::format("{} x {} x {}", rows, in, out));
    const RandomTensor x(random_, rows, in, 5);
    const RandomTensor w(random_, out, in);
    const RandomTensor bias(random_, 1, out);
    const RandomTensor y(random_, rows, out + 3);  // what lies beside the result must stay
    RandomTensor before(y);
    const auto packed = products_->pack(w.matrix());
    packed->multiply(x.view(), bias.view(), y.view().columns({0, out}));
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < out; ++c) {
        double sum = bias.view().f32()[c];
        double size = std::abs(sum);
        for (int k = 0; k < in; ++k) {
          const double term =
              static_cast<double>(rounded(x.view().f32(r)[k])) * rounded(w.view().f32(c)[k]);
          sum += term;
          size += std::abs(term);
        }
        ASSERT_NEAR(y.view().f32(r)[c], sum, (in + 1) * 6e-8 * size) << r << ", " << c;
      }
      for (int c = out; c < out + 3; ++c) {
        ASSERT_EQ(y.view().f32(r)[c], before.view().f32(r)[c]) << r << ", " << c;
      }
    }
  }
}

TEST_F(Bf16Products, RowsDoNotDependOnTheirNeighboursOrThreads) {
  constexpr int kRows = 300;
  constexpr int kOut = 200;
  const RandomTensor x(random_, kRows, 1100);
  const RandomTensor w(random_, kOut, 1100);
  const RandomTensor all(random_, kRows, kOut);
  products_->pack(w.matrix())->multiply(x.view(), {}, all.view());
  ThreadPool one(1);
  const auto alone = cpu::create_bf16_products(cpu::select_table(), one);
  const auto packed = alone->pack(w.matrix());
  for (const Range rows :
       {Range{0, 1}, Range{299, 300}, Range{3, 10}, Range{17, 50}, Range{40, 299}}) {
    const RandomTensor part(random_, rows.size(), kOut);
    packed->multiply(x.view().slice(rows), {}, part.view());
    for (int r = 0; r < rows.size(); ++r) {
      ASSERT_EQ(
          std::memcmp(part.view().f32(r), all.view().f32(rows.begin + r), kOut * sizeof(float)), 0)
          << "row " << r << " of " << rows.begin << ".." << rows.end;
    }
  }
}

}  // namespace
}  // namespace unmask
