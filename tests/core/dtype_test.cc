#include "core/dtype.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace unmask {
namespace {

TEST(DType, Bf16RoundsToNearestEven) {
  EXPECT_EQ(f32_to_bf16(1.0F), 0x3f80);
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3f808000U)), 0x3f80);  // tie, even below
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3f818000U)), 0x3f82);  // tie, even above
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3f808001U)), 0x3f81);
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_EQ(bf16_to_f32(f32_to_bf16(std::numeric_limits<float>::infinity())),
            std::numeric_limits<float>::infinity());
}

TEST(DType, EveryBf16PatternSurvivesTheWayThroughFloat32) {
  for (uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const float value = bf16_to_f32(static_cast<uint16_t>(bits));
    if (std::isnan(value)) continue;
    EXPECT_EQ(f32_to_bf16(value), bits);
  }
}

TEST(DType, HalfPrecisionKnownValues) {
  EXPECT_EQ(f16_to_f32(0x3c00), 1.0F);
  EXPECT_EQ(f16_to_f32(0xc000), -2.0F);
  EXPECT_EQ(f16_to_f32(0x7bff), 65504.0F);
  EXPECT_EQ(f16_to_f32(0x0400), 0x1p-14F);  // smallest normal
  EXPECT_EQ(f16_to_f32(0x0001), 0x1p-24F);  // smallest subnormal
  EXPECT_EQ(f16_to_f32(0x03ff), 1023 * 0x1p-24F);
  EXPECT_TRUE(std::signbit(f16_to_f32(0x8000)));
  EXPECT_EQ(f16_to_f32(0xfc00), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(f16_to_f32(0x7e00)));
}

TEST(DType, EveryHalfSurvivesTheWayThroughFloat32) {
  for (uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const float value = f16_to_f32(static_cast<uint16_t>(bits));
    if (std::isnan(value)) continue;
    EXPECT_EQ(f32_to_f16(value), bits);
  }
}

TEST(DType, HalfRoundsToNearestEven) {
  EXPECT_EQ(f32_to_f16(1 + 0x1p-11F), 0x3c00);      // tie, even below
  EXPECT_EQ(f32_to_f16(1 + 3 * 0x1p-11F), 0x3c02);  // tie, even above
  EXPECT_EQ(f32_to_f16(1 + 0x1p-11F + 0x1p-20F), 0x3c01);
  EXPECT_EQ(f32_to_f16(0x1p-25F), 0);  // half the smallest, even below
  EXPECT_EQ(f32_to_f16(3 * 0x1p-25F), 2);
  EXPECT_EQ(f32_to_f16(-0x1.ffep-15F), 0x8400);  // up to the smallest normal
  EXPECT_EQ(f32_to_f16(65519), 0x7bff);
  EXPECT_EQ(f32_to_f16(65520), 0x7c00);
  EXPECT_EQ(f32_to_f16(-std::numeric_limits<float>::infinity()), 0xfc00);
  EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::quiet_NaN()) & 0x7e00, 0x7e00);
}

}  // namespace
}  // namespace unmask
