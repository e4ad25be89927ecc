#include "generate/hole_growth.h"

#include <gtest/gtest.h>

namespace unmask {
namespace {

constexpr TokenId kHoleMask = 0;
constexpr TokenId kExpand = 1;
constexpr TokenId kEnd = 2;

HoleGrowth growth() { return {.expand_id = kExpand, .delete_id = kEnd, .end_id = kEnd}; }

TEST(GrowHoles, OneTokenBecomesTwoMasksAndAnotherNone) {
  std::vector<TokenId> tokens{9, kExpand, 7, kEnd, kHoleMask, 8};
  std::vector<Decision> decided{{1, kExpand}, {2, 7}, {3, kEnd}};
  const Grown grown = grow_holes(growth(), 9, kHoleMask, tokens, decided);
  EXPECT_EQ(tokens, (std::vector<TokenId>{9, kHoleMask, kHoleMask, 7, kHoleMask, 8}));
  EXPECT_EQ(grown.expanded, 1);
  EXPECT_TRUE(grown.moved);
  ASSERT_EQ(decided.size(), 1U);  // what is still there, where it stands now
  EXPECT_EQ(decided[0].position, 3);
  EXPECT_EQ(tokens[3], decided[0].token);
}

TEST(GrowHoles, OneTooManyIsMaskedAgain) {
  std::vector<TokenId> tokens{kExpand, kExpand, 8};
  std::vector<Decision> decided{{0, kExpand}, {1, kExpand}};
  const Grown grown = grow_holes(growth(), 1, kHoleMask, tokens, decided);
  EXPECT_EQ(grown.expanded, 1);
  EXPECT_EQ(tokens, (std::vector<TokenId>{kHoleMask, kHoleMask, kHoleMask, 8}));
  EXPECT_TRUE(decided.empty());
}

TEST(GrowHoles, OrdinaryTokensMoveNothing) {
  std::vector<TokenId> tokens{9, 5, kHoleMask};
  std::vector<Decision> decided{{1, 5}};
  const Grown grown = grow_holes(growth(), 9, kHoleMask, tokens, decided);
  EXPECT_FALSE(grown.moved);
  EXPECT_EQ(tokens, (std::vector<TokenId>{9, 5, kHoleMask}));
  EXPECT_EQ(decided.size(), 1U);
}

TEST(GrowHoles, MasksBehindAnEndMayBecomeIt) {
  HoleGrowth fills = growth();
  fills.delete_id.reset();
  fills.fill_behind_end = true;
  std::vector<TokenId> tokens{9, kHoleMask, kEnd, kHoleMask, kHoleMask};
  std::vector<Decision> decided{{2, kEnd}};
  grow_holes(fills, 9, kHoleMask, tokens, decided);
  EXPECT_EQ(tokens, (std::vector<TokenId>{9, kHoleMask, kEnd, kEnd, kEnd}));
}

}  // namespace
}  // namespace unmask
