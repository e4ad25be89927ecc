#include "sampling/schedule.h"

#include <gtest/gtest.h>

namespace unmask {
namespace {

std::vector<int> counts(const SamplerOptions& options, int masks, int steps) {
  const Schedule schedule(options, masks, steps);
  std::vector<int> out;
  int left = masks;
  for (int i = 0; i < steps; ++i) {
    const int n = schedule.budget(i, left).count;
    out.push_back(n);
    left -= n;
  }
  return out;
}

TEST(Schedule, LladaSpreadsEvenlyWithTheRemainderFirst) {
  EXPECT_EQ(counts({}, 10, 4), (std::vector{3, 3, 2, 2}));
  EXPECT_EQ(counts({}, 2, 4), (std::vector{1, 1, 0, 0}));
  EXPECT_EQ(counts({}, 8, 1), (std::vector{8}));
}

TEST(Schedule, DreamWithAStepATokenStartsWithNoneAndEndsWithTwo) {
  for (const int n : {64, 128, 512}) {
    const auto steps = counts({.algorithm = Algorithm::entropy}, n, n);
    EXPECT_EQ(steps.front(), 0);
    EXPECT_EQ(steps.back(), 2);
    for (size_t i = 1; i + 1 < steps.size(); ++i) EXPECT_EQ(steps[i], 1);
  }
}

TEST(Schedule, DreamDecidesEverythingInTheLastStep) {
  EXPECT_EQ(counts({.algorithm = Algorithm::maskgit_plus}, 12, 1), (std::vector{12}));
  for (const int steps : {2, 3, 7, 40}) {
    int sum = 0;
    for (const int n : counts({.algorithm = Algorithm::topk_margin}, 33, steps)) sum += n;
    EXPECT_EQ(sum, 33);
  }
}

TEST(Schedule, DynamicRulesMayDecideEverything) {
  EXPECT_EQ(Schedule({.threshold = 0.9}, 10, 5).budget(3, 7).count, 7);
}

TEST(Schedule, APacedThresholdAddsWhatWasPostponed) {
  const Schedule schedule({.threshold = 0.9, .paced = true}, 10, 4);  // 3, 3, 2, 2
  EXPECT_EQ(schedule.budget(0, 10).count, 3);
  EXPECT_EQ(schedule.budget(1, 9).count, 5);  // one of three was decided
  EXPECT_EQ(schedule.budget(1, 7).count, 3);
  EXPECT_EQ(schedule.budget(6, 2).count, 2);  // steps beyond the planned ones
  EXPECT_THROW(check_options({.paced = true}), Error);
}

}  // namespace
}  // namespace unmask
