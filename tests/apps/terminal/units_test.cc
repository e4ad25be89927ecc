#include "apps/terminal/units.h"

#include <gtest/gtest.h>

namespace unmask {
namespace {

TEST(Units, Durations) {
  EXPECT_EQ(format_duration(0), "0 s");
  EXPECT_EQ(format_duration(59.4), "59 s");
  EXPECT_EQ(format_duration(59.6), "1 min 00 s");
  EXPECT_EQ(format_duration(125), "2 min 05 s");
  EXPECT_EQ(format_duration(3780), "1 h 03 min");
  EXPECT_EQ(format_duration(-1), "0 s");
}

TEST(Units, SizesAndCounts) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
  EXPECT_EQ(format_bytes(int64_t{16} << 30), "16.0 GiB");
  EXPECT_EQ(format_count(12), "12");
  EXPECT_EQ(format_count(8015581184), "8,015,581,184");
}

TEST(Units, Operations) {
  EXPECT_EQ(format_operations(0), "0 FLOP");
  EXPECT_EQ(format_operations(950), "950 FLOP");
  EXPECT_EQ(format_operations(999.7), "1 kFLOP");
  EXPECT_EQ(format_operations(12.34e9), "12.3 GFLOP");
  EXPECT_EQ(format_operations(4.56e15), "4.56 PFLOP");
}

}  // namespace
}  // namespace unmask
