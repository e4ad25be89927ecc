#include "apps/commands/denoise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

namespace unmask {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// A prompt of one token and an answer of four, of which `answer` come before an end token.
struct Finished {
  Request request = append_masks({1}, 4, /*mask_id=*/9);
  Result result;

  explicit Finished(int answer) {
    result.tokens = {1, 2, 2, 2, 2};
    result.answer = {1, 1 + answer};
  }
  std::string said_of(std::string_view text) const {
    std::istringstream in;
    std::ostringstream err;
    Console console{in, err, err};
    explain_blank(text, result, console);
    return err.str();
  }
};

TEST(ExplainBlank, SaysWhatToTryWhenNothingIsToBeSeen) {
  EXPECT_THAT(Finished(0).said_of(""),
              AllOf(HasSubstr("ended it at once"), HasSubstr("--defer-eos")));
  EXPECT_THAT(Finished(4).said_of(" \n"), HasSubstr("--temperature"));
  EXPECT_EQ(Finished(4).said_of(" x"), "");
}

TEST(ExplainBlank, ACancelledAnswerIsNoMystery) {
  Finished cancelled(0);
  cancelled.result.cancelled = true;
  EXPECT_EQ(cancelled.said_of(""), "");
}

TEST(Interruption, NamesTheStep) {
  Finished cancelled(2);
  EXPECT_THAT(interruption(cancelled.request, cancelled.result),
              HasSubstr("before the first step"));
  cancelled.result.steps = 3;
  EXPECT_EQ(interruption(cancelled.request, cancelled.result), "interrupted after step 3 of 4");
  cancelled.request.sampler.threshold = 0.9;
  EXPECT_EQ(interruption(cancelled.request, cancelled.result), "interrupted after step 3");
}

}  // namespace
}  // namespace unmask
