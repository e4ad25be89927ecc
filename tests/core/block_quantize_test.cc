#include "core/block_quantize.h"

#include <cmath>
#include <gtest/gtest.h>
#include <random>
#include <vector>

#include "core/error.h"

namespace unmask {
namespace {

std::vector<float> there_and_back(BlockFormat format, const std::vector<float>& values) {
  std::vector<std::byte> blocks(block_bytes(format, values.size()));
  quantize(format, values.data(), values.size(), blocks.data());
  std::vector<float> back(values.size());
  dequantize(format, blocks.data(), values.size(), back.data());
  return back;
}

TEST(BlockQuantize, ErrorsStayWithinAStep) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (const BlockFormat format : {BlockFormat::q8_0, BlockFormat::q4_0}) {
    std::vector<float> values(32 * 500);
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = normal(random) * std::exp2(static_cast<float>(i / 32 % 8) - 4);
    }
    const std::vector<float> back = there_and_back(format, values);
    for (size_t block = 0; block < values.size(); block += 32) {
      float most = 0;
      for (size_t i = block; i < block + 32; ++i) most = std::max(most, std::abs(values[i]));
      // Half a step; Q4_0 has no code for the largest magnitude of the other sign, one step off.
      const float bound = format == BlockFormat::q8_0 ? most / 254 : most / 8;
      for (size_t i = block; i < block + 32; ++i) {
        // The scale is float16: 2^-11 of the value.
        ASSERT_NEAR(back[i], values[i], bound * 1.001F + most / 1024) << i;
      }
    }
  }
}

TEST(BlockQuantize, ZerosStayAndTheLargestValueIsKept) {
  std::vector<float> values(64, 0.0F);
  values[40] = -16;
  values[41] = 2;
  for (const BlockFormat format : {BlockFormat::q8_0, BlockFormat::q4_0}) {
    const std::vector<float> back = there_and_back(format, values);
    EXPECT_EQ(back[0], 0);
    EXPECT_NEAR(back[40], -16, 0.01);
    EXPECT_NEAR(back[41], 2, 0.07);
  }
}

TEST(BlockQuantize, OtherFormatsAreNotMade) {
  EXPECT_FALSE(can_quantize(BlockFormat::q4_k));
  std::vector<float> values(256);
  std::vector<std::byte> blocks(144);
  EXPECT_THROW(quantize(BlockFormat::q4_k, values.data(), 256, blocks.data()), LogicError);
}

}  // namespace
}  // namespace unmask
