// Block importance by the kernels of sm_90a on the emulator, against the reference backend.
#include <gtest/gtest.h>

#include "kernels/cuda/emulator/instructions.h"
#include "kernels/cuda/emulator/launch.h"
#include "kernels/cuda/scores_case.h"
// Kernels follow the instructions they are to run on.
#include "kernels/cuda/softmax.inc"
//
#include "kernels/cuda/tiles_sm90.inc"
//
#include "kernels/cuda/scores_sm90.inc"

namespace unmask::cuda {
namespace {

using testing::ScoresCase;
using testing::ScoresShape;

// Sums of float32 probabilities; the log-sum-exp they are relative to is off by 1e-6 at most.
constexpr double kRelative = 2e-5;

template <int kHeadDim>
void run(const DeviceImportance& task, float* workspace, Fault fault) {
  const ScoreParams p = score_params(task);
  const ScorePlan plan = score_plan(task, workspace);
  const ScoreBoxes boxes = score_boxes(task);
  emulator::Launch launch{.blocks = 2,
                          .threads = kBlockThreads,
                          .shared_bytes = ScoresSm90<kHeadDim>::kSums,
                          .fault = fault};
  for (const LseParams& own : {plan.over_all, plan.over_generation}) {
    if (own.lse == nullptr) continue;
    emulator::run(launch, [&] { measure_lse_sm90<kHeadDim>(p, own, boxes.q, boxes.k); });
  }
  launch.shared_bytes += block_sum_bytes(task);
  emulator::run(launch, [&] { sum_blocks_sm90<kHeadDim>(p, plan.sums, boxes.q, boxes.k); });
}

void run(const DeviceImportance& task, float* workspace, Fault fault = Fault::none) {
  if (task.head_dim == 128) {
    run<128>(task, workspace, fault);
  } else {
    run<64>(task, workspace, fault);
  }
}

void expect_exact(const ScoresShape& shape) {
  ScoresCase c(shape, 5);
  run(c.task(), c.workspace());
  EXPECT_LT(c.error(), kRelative) << shape.rows << " rows";
}

TEST(CudaScoresSm90, EqualTheReference) {
  expect_exact({.rows = 1});
  expect_exact({.rows = 129, .n_heads = 2, .first_generation_block = 1});
  expect_exact({.rows = 600, .n_heads = 2, .first_generation_block = 4});
  expect_exact({.rows = 300, .n_heads = 7, .first_generation_block = 1, .sharpness = 2});
  expect_exact({.rows = 256, .n_heads = 2, .n_kv_heads = 2, .head_dim = 64});
}

TEST(CudaScoresSm90, TakeAGivenLogSumExp) {
  ScoresCase c({.rows = 300, .n_heads = 2, .first_generation_block = 2}, 6);
  run(c.task(), c.workspace());
  DeviceImportance given = c.task();
  std::vector<float> lse(c.workspace() + lse_size(given), c.workspace() + 2 * lse_size(given));
  given.lse = lse.data();
  std::fill_n(c.workspace(), 2 * lse_size(given), std::nanf(""));
  run(given, c.workspace());
  EXPECT_LT(c.error(), kRelative);
}

TEST(CudaScoresSm90, MistakesAreNoticed) {
  for (const Fault fault : {Fault::no_product_fence, Fault::late_product_wait, Fault::no_full_wait,
                            Fault::no_empty_wait, Fault::flipped_parity, Fault::missing_arrival,
                            Fault::wrong_shuffle}) {
    ScoresCase c({.rows = 600, .first_generation_block = 4}, 7);
    const auto noticed = [&] {
      try {
        run(c.task(), c.workspace(), fault);
      } catch (const emulator::Defect&) {
        return true;
      }
      return !(c.error() < kRelative);
    };
    EXPECT_TRUE(noticed()) << "fault " << static_cast<int>(fault);
  }
}

}  // namespace
}  // namespace unmask::cuda
