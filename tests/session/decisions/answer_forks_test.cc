#include "session/decisions/answer_forks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace unmask {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Answers = std::vector<std::vector<TokenId>>;

TEST(AnswerForks, DifferentFirstTokensNeedOnePlace) {
  const auto forks = find_forks(Answers{{5, 1, 9}, {3, 9}, {4, 1, 2, 9}});
  ASSERT_EQ(forks.size(), 1U);
  EXPECT_THAT(forks[0].path, IsEmpty());
  EXPECT_THAT(forks[0].tokens, ElementsAre(3, 4, 5));
  EXPECT_THAT(forks[0].branch_of, ElementsAre(2, 0, 1));
}

TEST(AnswerForks, LieBehindWhatAnswersHaveInCommon) {
  // 1 2 {3 {9 | 4 9} | 5 9}: 9 ends an answer.
  const auto forks = find_forks(Answers{{1, 2, 3, 9}, {1, 2, 5, 9}, {1, 2, 3, 4, 9}});
  ASSERT_EQ(forks.size(), 2U);
  EXPECT_THAT(forks[0].path, ElementsAre(1, 2));
  EXPECT_THAT(forks[0].tokens, ElementsAre(3, 5));
  EXPECT_THAT(forks[0].branch_of, ElementsAre(0, 1, 0));
  EXPECT_THAT(forks[1].path, ElementsAre(1, 2, 3));
  EXPECT_THAT(forks[1].tokens, ElementsAre(4, 9));
  EXPECT_THAT(forks[1].branch_of, ElementsAre(1, -1, 0));
}

TEST(AnswerForks, RefuseAnswersThatCannotBeTold) {
  EXPECT_THROW(find_forks(Answers{{1, 9}, {1, 9}}), Error);
  EXPECT_THROW(find_forks(Answers{{1, 9}, {1, 9, 2, 9}}), Error);
}

}  // namespace
}  // namespace unmask
