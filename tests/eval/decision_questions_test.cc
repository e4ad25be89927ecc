#include "eval/decision_questions.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

namespace unmask {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

int words_of(std::string_view text) {
  return 1 + static_cast<int>(std::count(text.begin(), text.end(), ' '));
}

DecisionExample example(QuestionType type, int index, int length = 96) {
  Draw draw(5, question_type_name(type), length, index);
  return make_decision(type, draw, {length, words_of});
}

TEST(DecisionQuestions, AreAboutATextAndDoNotStandInIt) {
  for (const QuestionType type : kQuestionTypes) {
    for (int i = 0; i < 40; ++i) {
      const DecisionExample e = example(type, i);
      EXPECT_THAT(e.state, StartsWith("Text: "));
      EXPECT_THAT(e.state, Not(HasSubstr("Question")));
      EXPECT_EQ(e.question.type, type);
      EXPECT_LT(e.right, e.question.options.size());
      EXPECT_EQ(e.state, example(type, i).state);
    }
  }
}

TEST(DecisionQuestions, HaveTheirRightAnswerInTheText) {
  for (int i = 0; i < 40; ++i) {
    const DecisionExample e = example(QuestionType::choice, i);
    EXPECT_THAT(e.state, HasSubstr(e.question.options[e.right].text));
    for (size_t o = 0; o < e.question.options.size(); ++o) {
      if (o == e.right) continue;
      EXPECT_THAT(e.state, Not(HasSubstr(e.question.options[o].text)));
    }
  }
}

TEST(DecisionQuestions, HaveEveryAnswer) {
  for (const QuestionType type : kQuestionTypes) {
    std::set<size_t> seen;
    for (int i = 0; i < 60; ++i) seen.insert(example(type, i).right);
    EXPECT_EQ(seen.size(), example(type, 0).question.options.size());
  }
}

}  // namespace
}  // namespace unmask
