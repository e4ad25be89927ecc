// The attention kernel for sm_80 and later on the emulator, against float64, and the sums of block
// importance against the reference backend. Bounds as in flash_sm90_test.cc and
// scores_sm90_test.cc.
#include <cmath>
#include <gtest/gtest.h>

#include "kernels/cuda/attention_case.h"
#include "kernels/cuda/emulator/instructions.h"
#include "kernels/cuda/emulator/launch.h"
#include "kernels/cuda/scores_case.h"
// Kernels follow the instructions they are to run on.
#include "kernels/cuda/softmax.inc"
//
#include "kernels/cuda/tile_mma.inc"
//
#include "kernels/cuda/flash_mma.inc"
//
#include "kernels/cuda/scores_mma.inc"

namespace unmask::cuda {
namespace {

using testing::AttentionCase;
using testing::CaseShape;
using testing::ScoresCase;

constexpr double kRelativeL2 = 5e-3;
constexpr double kLse = 1e-4;
constexpr double kRelativeSums = 2e-5;

emulator::Launch launch_of(const MmaParams& p, uint32_t shared_bytes, Fault fault) {
  return {.blocks = mma_blocks(p),
          .threads = mma_threads(p),
          .shared_bytes = shared_bytes,
          .fault = fault};
}

template <int kHeadDim>
void run(MmaParams p, Fault fault) {
  std::vector<float> parts(mma_part_floats(p, kHeadDim), std::nanf(""));
  place_parts(p, kHeadDim, parts.data());
  emulator::run(launch_of(p, ChunkMemory<kHeadDim>::kSharedBytes, fault),
                [&] { flash_mma<kHeadDim, true>(p); });
  if (p.splits == 1) return;
  emulator::run(
      {.blocks = ceil_div(p.n_heads * p.rows, kCombineThreads / 32), .threads = kCombineThreads},
      [&] { combine_parts<kHeadDim>(p); });
}

void run(const DeviceAttention& task, int multiprocessors, Fault fault = Fault::none) {
  const MmaParams p = mma_params({80, multiprocessors}, task);
  switch (task.head_dim) {
    case 32: return run<32>(p, fault);
    case 64: return run<64>(p, fault);
    case 96: return run<96>(p, fault);
    default: return run<128>(p, fault);
  }
}

void expect_exact(const CaseShape& shape, int multiprocessors = 0) {
  const AttentionCase c(shape, 21);
  run(c.task(), multiprocessors);
  const testing::Errors errors = c.errors();
  EXPECT_LT(errors.relative_l2, kRelativeL2) << shape.rows << " rows, " << shape.keys << " keys";
  EXPECT_LT(errors.lse, kLse) << shape.rows << " rows, " << shape.keys << " keys";
}

TEST(CudaFlashMma, DenseOfEveryHeadSize) {
  for (const int dim : {32, 64, 96, 128}) {
    expect_exact({.rows = 130, .keys = 70, .n_heads = 2, .n_kv_heads = 2, .head_dim = dim});
  }
  expect_exact({.rows = 1, .keys = 1});
  expect_exact({.rows = 33, .keys = 129, .n_heads = 7, .n_kv_heads = 1, .head_dim = 32});
}

TEST(CudaFlashMma, ListsOfBlocksOfAnySize) {
  for (const int block : {8, 24, 32, 64, 128, 200}) {
    expect_exact({.rows = 300,
                  .keys = 300,
                  .n_heads = 2,
                  .n_kv_heads = 1,
                  .head_dim = 32,
                  .block_size = block,
                  .longest = 5});
  }
}

TEST(CudaFlashMma, RowsOfSomePositions) {
  expect_exact({.rows = 8,
                .keys = 150,
                .n_heads = 2,
                .n_kv_heads = 2,
                .head_dim = 64,
                .block_size = 32,
                .positions = {0, 1, 31, 33, 95, 96, 148, 149}});
}

TEST(CudaFlashMma, FewRowsSplitTheKeys) {
  const CaseShape shape{.rows = 5, .keys = 1000, .n_heads = 6, .n_kv_heads = 2, .head_dim = 64};
  const AttentionCase c(shape, 22);
  ASSERT_EQ(mma_params({80, 4}, c.task()).splits, 4);
  expect_exact(shape, 4);
}

TEST(CudaFlashMma, RowsSeeTheKeysBeforeTheirEnds) {
  for (const int block : {1, 4, 32, 100, 128}) {
    expect_exact({.rows = 260,
                  .keys = 260,
                  .n_heads = 4,
                  .n_kv_heads = 2,
                  .head_dim = 32,
                  .ends = testing::block_ends(260, 260, block)});
  }
  expect_exact({.rows = 6,
                .keys = 130,
                .n_heads = 3,
                .n_kv_heads = 1,
                .head_dim = 128,
                .ends = {130, 1, 63, 64, 65, 2}});
}

TEST(CudaFlashMma, SplitsBehindTheEndsWeighNothing) {
  CaseShape shape{.rows = 5, .keys = 1000, .n_heads = 6, .n_kv_heads = 2, .head_dim = 64};
  shape.ends = {1000, 1, 64, 250, 257};  // in every one of the splits
  expect_exact(shape, 4);
  shape.ends = {3, 1, 64, 250, 200};  // in the first one
  expect_exact(shape, 4);
}

TEST(CudaFlashMma, MistakesAreNoticed) {
  const CaseShape shape{
      .rows = 40, .keys = 200, .n_heads = 1, .n_kv_heads = 1, .head_dim = 64, .block_size = 64};
  const auto noticed = [&](Fault fault) {
    const AttentionCase c(shape, 23);
    try {
      run(c.task(), 0, fault);
    } catch (const emulator::Defect&) {
      return true;
    }
    const testing::Errors errors = c.errors();
    return !(errors.relative_l2 < kRelativeL2 && errors.lse < kLse);
  };
  ASSERT_FALSE(noticed(Fault::none));
  for (const Fault fault : {Fault::no_small_copy_wait, Fault::no_block_barrier,
                            Fault::not_transposed, Fault::wrong_shuffle}) {
    EXPECT_TRUE(noticed(fault)) << "fault " << static_cast<int>(fault);
  }
}

void sum_blocks(const DeviceImportance& task, float* workspace) {
  const ScorePlan plan = score_plan(task, workspace);
  constexpr uint32_t kShared = ChunkMemory<32>::kSharedBytes;
  for (const LseParams& own : {plan.over_all, plan.over_generation}) {
    if (own.lse == nullptr) continue;
    const MmaParams p = lse_pass(task, own);
    emulator::run(launch_of(p, kShared, Fault::none), [&] { flash_mma<32, false>(p); });
  }
  const MmaParams pass = block_pass(task);
  emulator::run(launch_of(pass, kShared + kBlockSumBytes, Fault::none),
                [&] { sum_blocks_mma<32>(pass, score_params(task), plan.sums); });
}

TEST(CudaScoresMma, EqualTheReference) {
  for (const int block : {8, 32, 40, 128}) {
    ScoresCase c({.rows = 260,
                  .n_heads = 2,
                  .head_dim = 32,
                  .block_size = block,
                  .first_generation_block = 190 / block,
                  .sharpness = 1.5},
                 24);
    sum_blocks(c.task(), c.workspace());
    EXPECT_LT(c.error(), kRelativeSums) << "blocks of " << block;
  }
}

}  // namespace
}  // namespace unmask::cuda
