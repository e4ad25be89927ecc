// What a selection keeps, on importances made by hand.
#include "kernels/select.h"

#include <gtest/gtest.h>

namespace unmask {
namespace {

/// One head of as many query blocks as `all` has entries, every query block alike.
BlockImportance importance(const std::vector<float>& all, const std::vector<float>& generation) {
  BlockImportance i;
  i.block_size = 8;
  i.n_blocks = static_cast<int>(all.size());
  i.first_generation_block = static_cast<int>(all.size() - generation.size());
  for (size_t row = 0; row < all.size(); ++row) {
    i.all.insert(i.all.end(), all.begin(), all.end());
    i.generation.insert(i.generation.end(), generation.begin(), generation.end());
  }
  return i;
}

std::vector<int> kept(const BlockImportance& i, const BlockSelection& selection) {
  const BlockPattern pattern = select_blocks(i, selection);
  EXPECT_TRUE(pattern.complete());
  const auto list = pattern.list(0, 0);
  return {list.begin(), list.end()};
}

using Blocks = std::vector<int>;

TEST(Select, PromptBlocksCompeteWithTheGenerationWhichIsRankedApart) {
  const auto i = importance({1, 9, 5, 8, 7}, {8, 7});
  // trunc(5 * 0.4) + 1 = 3 of all: 1, 3 and 4, of which only 1 is prompt; 1 of the generation.
  EXPECT_EQ(kept(i, {.select = 0.4}), (Blocks{1, 3}));
  EXPECT_EQ(kept(i, {.select = 0.4, .isolated = false}), (Blocks{1, 3, 4}));
}

TEST(Select, TiesGoToTheLowerBlock) {
  EXPECT_EQ(kept(importance({1, 1, 1, 1, 1}, {1, 1}), {.select = 0}), (Blocks{0, 3}));
}

TEST(Select, EverythingAndAlmostNothing) {
  const auto i = importance({1, 2, 3, 4}, {1, 2});
  EXPECT_EQ(kept(i, {.select = 1}), (Blocks{0, 1, 2, 3}));
  EXPECT_EQ(kept(i, {.select = 1, .isolated = false}), (Blocks{0, 1, 2, 3}));
  EXPECT_EQ(kept(i, {.select = 0}), (Blocks{3}));  // the best block of all is no prompt block
  EXPECT_EQ(kept(importance({5}, {5}), {.select = 0}), (Blocks{0}));
}

TEST(Select, CoverageKeepsTheFewestBlocksThatHoldTheShareOfTheirPart) {
  const auto i = importance({1, 6, 3, 40, 50}, {4, 6});
  EXPECT_EQ(kept(i, {.coverage = 0.6}), (Blocks{1, 4}));
  EXPECT_EQ(kept(i, {.coverage = 0.7}), (Blocks{1, 2, 3, 4}));
  EXPECT_EQ(kept(i, {.coverage = 0.5, .isolated = false}), (Blocks{4}));
  EXPECT_EQ(kept(i, {.coverage = 1}), (Blocks{0, 1, 2, 3, 4}));
}

TEST(Select, DensityCountsPairs) {
  EXPECT_EQ(select_blocks(importance({1, 2, 3, 4}, {3, 4}), {.select = 1}).density(), 1);
  EXPECT_EQ(select_blocks(importance({4, 3, 2, 1}, {2, 1}), {.select = 0}).density(), 0.5);
}

}  // namespace
}  // namespace unmask
