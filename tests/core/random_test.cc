#include "core/random.h"

#include <gtest/gtest.h>

namespace unmask {
namespace {

// Known answers of the Random123 distribution for philox4x32-10.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(Philox(0)(0, 0, 0, 0),
            (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox(~uint64_t{0})(~0U, ~0U, ~0U, ~0U),
            (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox(0x299f31d0a4093822ULL)(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344),
            (std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, OpenUnitNeverReachesItsEnds) {
  EXPECT_GT(open_unit(0, 0), 0.0);
  EXPECT_LT(open_unit(~0U, ~0U), 1.0);
}

}  // namespace
}  // namespace unmask
