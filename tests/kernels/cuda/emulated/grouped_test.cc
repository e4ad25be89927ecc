// Sorting rows by expert and the products of experts on the emulator, against float64. Results are
// rounded to bfloat16 (2^-9), which for random values averages out to about 1.7e-3 of their norm.
#include <gtest/gtest.h>

#include "kernels/cuda/emulator/instructions.h"
#include "kernels/cuda/emulator/launch.h"
#include "kernels/cuda/grouped_case.h"
// Kernels follow the instructions they are to run on.
#include "kernels/cuda/grouped.inc"

namespace unmask::cuda {
namespace {

using testing::GroupedCase;
using testing::GroupedShape;

constexpr double kRelativeL2 = 3e-3;

void group(const DeviceGrouping& task) {
  emulator::run(
      {.blocks = task.experts, .threads = kGroupingThreads, .shared_bytes = kGroupingBytes},
      [&] { group_choices(task); });
}

template <int kRows, bool kGated>
void multiply(const GroupedProduct& task, Fault fault) {
  emulator::run(
      {.blocks = group_blocks(task),
       .threads = group_threads(kRows),
       .shared_bytes = GroupMemory<kRows>::kSharedBytes,
       .fault = fault},
      [&] { multiply_groups<kRows, kGated>(task, group_shares(task), group_tiles(task)); });
}

template <int kRows>
void multiply(const GroupedProduct& task, Fault fault) {
  task.gated ? multiply<kRows, true>(task, fault) : multiply<kRows, false>(task, fault);
}

void multiply(const GroupedProduct& task, Fault fault = Fault::none) {
  switch (group_rows(task)) {
    case 16: return multiply<16>(task, fault);
    case 64: return multiply<64>(task, fault);
    default: return multiply<128>(task, fault);
  }
}

void expect_right(const GroupedShape& shape, int tile_rows) {
  const GroupedCase c(shape, 31);
  group(c.grouping());
  ASSERT_TRUE(c.is_sorted()) << shape.rows << " rows, " << shape.experts << " experts";
  EXPECT_EQ(group_rows(c.product()), tile_rows);
  multiply(c.product());
  EXPECT_LT(c.error(), kRelativeL2) << shape.rows << " rows, " << shape.experts << " experts";
}

TEST(CudaGrouped, SortsChoices) {
  for (const GroupedShape& shape :
       {GroupedShape{.rows = 1}, GroupedShape{.rows = 3, .experts = 40, .top_k = 2},
        GroupedShape{.rows = 700, .experts = 9, .top_k = 3},
        GroupedShape{.rows = 300, .experts = 17, .top_k = 4, .popular = 4}}) {
    const GroupedCase c(shape, 30);
    group(c.grouping());
    EXPECT_TRUE(c.is_sorted()) << shape.rows << " rows, " << shape.experts << " experts";
  }
}

TEST(CudaGrouped, FewRowsOfManyExperts) {
  for (const bool gated : {true, false}) {
    expect_right({.gated = gated}, 16);
    // Some experts have no row; depth and columns end inside a tile.
    expect_right({.rows = 7, .experts = 12, .top_k = 2, .cols = 75, .depth = 136, .gated = gated},
                 16);
    expect_right({.rows = 4, .experts = 3, .top_k = 1, .cols = 200, .depth = 8, .gated = gated},
                 16);
  }
}

TEST(CudaGrouped, TilesOf64And128Rows) {
  for (const bool gated : {true, false}) {
    expect_right({.rows = 90, .experts = 5, .top_k = 2, .cols = 72, .depth = 72, .gated = gated},
                 64);
    expect_right({.rows = 300, .experts = 4, .top_k = 2, .cols = 40, .depth = 40, .gated = gated},
                 128);
  }
}

TEST(CudaGrouped, AnExpertThatMostRowsTakeGoesOnInTheSameBlocks) {
  const GroupedShape shape{
      .rows = 130, .experts = 16, .top_k = 2, .cols = 64, .depth = 64, .popular = 1};
  const GroupedCase c(shape, 31);
  EXPECT_LT(group_shares(c.product()) * group_rows(c.product()), 100);
  expect_right(shape, 16);
}

TEST(CudaGrouped, MistakesAreNoticed) {
  const GroupedShape shape{.rows = 20, .experts = 2, .top_k = 2, .cols = 64, .depth = 320};
  const auto noticed = [&](Fault fault) {
    const GroupedCase c(shape, 32);
    try {
      group(c.grouping());
      multiply(c.product(), fault);
    } catch (const emulator::Defect&) {
      return true;
    }
    return !(c.error() < kRelativeL2);
  };
  ASSERT_FALSE(noticed(Fault::none));
  EXPECT_TRUE(noticed(Fault::no_small_copy_wait));
  EXPECT_TRUE(noticed(Fault::no_block_barrier));
}

}  // namespace
}  // namespace unmask::cuda
