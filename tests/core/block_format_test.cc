#include "core/block_format.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace unmask {
namespace {

TEST(BlockFormat, IsFoundByItsName) {
  for (int i = 0; i < kBlockFormats; ++i) {
    const auto format = static_cast<BlockFormat>(i);
    EXPECT_EQ(find_block_format(block_traits(format).name), format);
  }
  EXPECT_EQ(find_block_format("IQ1_S"), std::nullopt);
  EXPECT_EQ(find_block_format(""), std::nullopt);
}

TEST(BlockFormat, TakesWholeBlocksOnly) {
  EXPECT_EQ(block_bytes(BlockFormat::q4_k, 512), 288U);
  EXPECT_EQ(block_bytes(BlockFormat::q4_k, 0), 0U);
  EXPECT_THROW(block_bytes(BlockFormat::q4_k, 511), LogicError);
  EXPECT_THROW(dequantize(BlockFormat::q8_0, nullptr, 31, nullptr), LogicError);
}

TEST(BlockFormat, ScalesOfMxfp4ArePowersOfTwo) {
  for (int e = 0; e < 256; ++e) {
    EXPECT_EQ(e8m0_to_f32(static_cast<uint16_t>(e)), std::ldexp(1.0F, e - 128)) << e;
  }
}

}  // namespace
}  // namespace unmask
