#include "model/finite.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <utility>

#include "core/error.h"
#include "support/tensor_files.h"

namespace unmask {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string reason(const testing::FileTensor& t, DType dtype) {
  ThreadPool pool(2);
  // One byte further: files promise no alignment.
  const std::string shifted = "x" + t.bytes;
  const TensorSpec spec{TensorRole::q, 3, "layers.3.q_proj.weight", t.shape};
  try {
    check_finite(
        spec,
        {shifted.data() + 1, dtype, static_cast<int>(t.shape[0]), static_cast<int>(t.shape[1])},
        pool);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(CheckFinite, FindsOneValueInEveryType) {
  const float infinite = std::numeric_limits<float>::infinity();
  const std::vector<std::pair<std::string, DType>> types{
      {"F32", DType::f32}, {"F16", DType::f16}, {"BF16", DType::bf16}};
  for (const auto& [name, dtype] : types) {
    std::vector<float> values(3 * 5000, name == "F16" ? 65504.0F : 3e38F);
    values[7] = -0.0F;
    EXPECT_EQ(reason(testing::tensor_of({3, 5000}, values, name), dtype), "");
    for (const size_t at : {size_t{0}, size_t{4095}, size_t{14999}}) {
      for (const float bad : {infinite, -infinite, std::nanf("")}) {
        const float good = std::exchange(values[at], bad);
        EXPECT_THAT(reason(testing::tensor_of({3, 5000}, values, name), dtype),
                    AllOf(HasSubstr("layers.3.q_proj.weight"), HasSubstr("layer 3"),
                          HasSubstr(fmt::format("number {}, is", at)), HasSubstr("1 of 15000")));
        values[at] = good;
      }
    }
  }
}

}  // namespace
}  // namespace unmask
