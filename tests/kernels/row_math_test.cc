// Passes over a row of logits under every instruction set.
#include "kernels/row_math.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <limits>
#include <random>

#include "kernels/cpu/variants.h"
#include "support/isa.h"

namespace unmask {
namespace {

class RowMathTest : public ::testing::TestWithParam<std::string> {
 protected:
  static const RowMath& math() { return cpu::select_variant(GetParam()).table().row_math; }
};

TEST_P(RowMathTest, TopTwoAreTheFirstTwoOfTheSortedRow) {
  std::mt19937 random(5);
  for (const int n : {2, 3, 15, 16, 17, 33, 1000}) {
    for (const int values : {2, 5, 100000}) {  // few values: many ties
      std::uniform_int_distribution<int> value(-values, values);
      std::vector<float> row(static_cast<size_t>(n));
      for (float& x : row) x = static_cast<float>(value(random)) / 8;
      const RowMath::TopTwo top = math().top_two(row.data(), n);
      const auto largest = std::max_element(row.begin(), row.end());
      EXPECT_EQ(top.index, largest - row.begin()) << n;
      EXPECT_EQ(top.first, *largest);
      std::sort(row.begin(), row.end(), std::greater<>());
      EXPECT_EQ(top.second, row[1]) << n;
    }
  }
}

TEST_P(RowMathTest, NothingIsSecondToASingleValue) {
  const float row = -3;
  const RowMath::TopTwo top = math().top_two(&row, 1);
  EXPECT_EQ(top.index, 0);
  EXPECT_EQ(top.first, -3);
  EXPECT_EQ(top.second, -std::numeric_limits<float>::infinity());
}

INSTANTIATE_TEST_SUITE_P(Isa, RowMathTest, ::testing::ValuesIn(testing::isa_levels()),
                         testing::isa_test_name);

}  // namespace
}  // namespace unmask
