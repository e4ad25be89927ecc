// Pooling and selection, and their rule for ties.
#include "methods/selection.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <random>

#include "core/error.h"

namespace unmask {
namespace {

TEST(MaxPool, TakesTheLargestOfAWindowCutOffAtTheEnds) {
  const std::vector<float> scores{1, 5, 2, 0, -3, -1};
  EXPECT_EQ(max_pool(scores, 1), scores);
  EXPECT_EQ(max_pool(scores, 3), (std::vector<float>{5, 5, 5, 2, 0, -1}));
  EXPECT_EQ(max_pool(scores, 99), std::vector<float>(6, 5));
  EXPECT_TRUE(max_pool({}, 3).empty());
  EXPECT_THROW(max_pool(scores, 2), LogicError);
}

TEST(Selection, AmongEqualScoresTheLowestIndexWins) {
  const std::vector<float> scores{2, 7, 2, 7, 2, 7};
  EXPECT_EQ(largest(scores, 2), Rows(std::vector{1, 3}));
  EXPECT_EQ(largest(scores, 4), Rows(std::vector{0, 1, 3, 5}));
  EXPECT_EQ(smallest(scores, 2), Rows(std::vector{0, 2}));
  EXPECT_EQ(largest(scores, 0), Rows());
  EXPECT_EQ(largest(scores, 6), Rows(Range{0, 6}));
  EXPECT_THROW(largest(scores, 7), LogicError);
}

TEST(Selection, EqualsAStableSort) {
  std::mt19937 random(4);
  for (int round = 0; round < 200; ++round) {
    std::vector<float> scores(random() % 50);
    for (float& s : scores) s = static_cast<float>(random() % 7);
    std::vector<int> order;
    for (size_t i = 0; i < scores.size(); ++i) order.push_back(static_cast<int>(i));
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
      return scores[static_cast<size_t>(a)] > scores[static_cast<size_t>(b)];
    });
    order.resize(random() % (order.size() + 1));
    const auto count = static_cast<int>(order.size());
    std::sort(order.begin(), order.end());
    EXPECT_EQ(largest(scores, count), Rows(order));
  }
}

TEST(BestPositions, AreThoseOfTheLargestScoresByPosition) {
  const std::vector<std::pair<int, float>> scored{{7, 1}, {2, 5}, {9, 3}, {4, 2}};
  const auto best = [&](int width, int count) {
    const Rows rows = best_positions(scored, width, count);
    return std::vector<int>(rows.begin(), rows.end());
  };
  EXPECT_EQ(best(1, 2), (std::vector{2, 9}));
  EXPECT_EQ(best(3, 2), (std::vector{2, 4}));  // 4 stands beside 2
  EXPECT_EQ(best(1, 9), (std::vector{2, 4, 7, 9}));
  EXPECT_TRUE(best(1, 0).empty());
}

}  // namespace
}  // namespace unmask
