// The attention kernel of sm_90a on the emulator, against float64.
//
// Bound: weights are rounded to bfloat16 (2^-9) before they meet the values and so is the output;
// for random values the errors average out to about 2.2e-3 of the result's norm.
#include <gtest/gtest.h>

#include "kernels/cuda/attention_case.h"
#include "kernels/cuda/emulator/instructions.h"
#include "kernels/cuda/emulator/launch.h"
// Kernels follow the instructions they are to run on.
#include "kernels/cuda/softmax.inc"
//
#include "kernels/cuda/tiles_sm90.inc"
//
#include "kernels/cuda/flash_sm90.inc"

namespace unmask::cuda {
namespace {

using emulator::Defect;
using testing::AttentionCase;
using testing::CaseShape;

constexpr double kRelativeL2 = 5e-3;
constexpr double kLse = 1e-4;

void run(const DeviceAttention& task, uint64_t seed, Fault fault = Fault::none, int blocks = 3) {
  const FlashParams p = flash_params(task);
  const FlashBoxes boxes = flash_boxes(task);
  const auto kernel = [&](auto dim, uint32_t shared_bytes) {
    emulator::run({.blocks = blocks,
                   .threads = kBlockThreads,
                   .shared_bytes = shared_bytes,
                   .seed = seed,
                   .fault = fault},
                  [&] { flash_sm90<dim.value>(p, boxes.q, boxes.k, boxes.v, boxes.out); });
  };
  if (task.head_dim == 128) {
    kernel(std::integral_constant<int, 128>{}, FlashSm90<128>::kSharedBytes);
  } else {
    kernel(std::integral_constant<int, 64>{}, FlashSm90<64>::kSharedBytes);
  }
}

void expect_exact(const CaseShape& shape, uint64_t seed) {
  const AttentionCase c(shape, seed);
  run(c.task(), seed);
  const testing::Errors errors = c.errors();
  EXPECT_LT(errors.relative_l2, kRelativeL2) << shape.rows << " rows, " << shape.keys << " keys";
  EXPECT_LT(errors.lse, kLse) << shape.rows << " rows, " << shape.keys << " keys";
}

TEST(CudaFlashSm90, DenseAroundTileBorders) {
  for (const int n : {1, 127, 128, 129, 300}) {
    expect_exact({.rows = n, .keys = n, .n_heads = 2, .n_kv_heads = 1}, 7);
  }
  expect_exact({.rows = 70, .keys = 385, .n_heads = 1, .n_kv_heads = 1}, 8);
}

TEST(CudaFlashSm90, ListsOfEveryLength) {
  expect_exact({.rows = 1000, .keys = 1000, .n_heads = 2, .n_kv_heads = 1, .block_size = 128}, 9);
  expect_exact(
      {.rows = 129, .keys = 129, .n_heads = 7, .n_kv_heads = 1, .block_size = 128, .longest = 2},
      10);
}

TEST(CudaFlashSm90, HeadsOf64) {
  expect_exact({.rows = 200, .keys = 200, .n_heads = 2, .n_kv_heads = 2, .head_dim = 64}, 11);
}

TEST(CudaFlashSm90, LargeScores) {
  expect_exact({.rows = 140, .keys = 270, .n_heads = 1, .n_kv_heads = 1, .spread = 300}, 12);
}

TEST(CudaFlashSm90, RowsSeeTheKeysBeforeTheirEnds) {
  for (const int block : {4, 32, 100, 128, 200}) {
    expect_exact({.rows = 300,
                  .keys = 300,
                  .n_heads = 2,
                  .n_kv_heads = 1,
                  .ends = testing::block_ends(300, 300, block)},
                 13);
  }
  // A step behind a cache, and ends in any order.
  expect_exact({.rows = 140,
                .keys = 390,
                .n_heads = 2,
                .n_kv_heads = 2,
                .head_dim = 64,
                .ends = testing::block_ends(140, 390, 32, 250)},
               14);
  std::vector<int> ends;
  for (int r = 0; r < 200; ++r) ends.push_back(1 + r * 37 % 385);
  expect_exact({.rows = 200, .keys = 385, .n_heads = 2, .n_kv_heads = 1, .ends = ends}, 15);
}

/// Whether a faulty machine is noticed, by a Defect or by the numbers, in one of a few orders of
/// events.
bool noticed(const CaseShape& shape, Fault fault) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    const AttentionCase c(shape, seed);
    try {
      run(c.task(), seed, fault, 2);
    } catch (const Defect&) {
      return true;
    }
    const testing::Errors errors = c.errors();
    if (!(errors.relative_l2 < kRelativeL2 && errors.lse < kLse)) return true;
  }
  return false;
}

TEST(CudaFlashSm90, MistakesAreNoticed) {
  const CaseShape shape{.rows = 300, .keys = 300, .n_heads = 2, .n_kv_heads = 1, .block_size = 128};
  ASSERT_FALSE(noticed(shape, Fault::none));
  for (const Fault fault :
       {Fault::swapped_distances, Fault::wrong_depth_step, Fault::no_product_fence,
        Fault::no_product_wait, Fault::late_product_wait, Fault::no_full_wait, Fault::no_empty_wait,
        Fault::flipped_parity, Fault::extra_arrival, Fault::missing_arrival, Fault::half_the_bytes,
        Fault::swapped_turns, Fault::no_warpgroup_barrier, Fault::no_proxy_fence,
        Fault::no_store_wait, Fault::plain_store, Fault::wrong_shuffle}) {
    EXPECT_TRUE(noticed(shape, fault)) << "fault " << static_cast<int>(fault);
  }
}

TEST(CudaFlashSm90, PaddingIsSeenWithoutTheMask) {
  const AttentionCase c({.rows = 100, .keys = 200, .n_heads = 1, .n_kv_heads = 1}, 3);
  const FlashBoxes boxes = flash_boxes(c.task());
  FlashParams p = flash_params(c.task());
  p.keys = 256;  // as if the zeros behind the last key were keys
  emulator::run({.threads = kBlockThreads, .shared_bytes = FlashSm90<128>::kSharedBytes},
                [&] { flash_sm90<128>(p, boxes.q, boxes.k, boxes.v, boxes.out); });
  EXPECT_GT(c.errors().lse, kLse);
}

}  // namespace
}  // namespace unmask::cuda
