#include "serve/text/final_text.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <numeric>
#include <random>

#include "support/byte_model.h"

namespace unmask {
namespace {

using testing::kEnd;
using testing::kMask;
using ::testing::StartsWith;

/// A canvas of a prompt of two tokens and `text`, one byte a token, masked.
class FinalTextTest : public ::testing::Test {
 protected:
  Request request_of(const std::string& text) {
    answer_.clear();
    for (const char c : text) {
      answer_.push_back(c == '$' ? kEnd : static_cast<TokenId>(static_cast<uint8_t>(c)));
    }
    Request request = append_masks({'p', 'q'}, static_cast<int>(answer_.size()), kMask);
    request.eos_ids = {kEnd};
    return request;
  }
  Decision decision(int i) const { return {2 + i, answer_[static_cast<size_t>(i)], 1}; }
  FinalText make(const Request& request, std::vector<std::string> stops = {}) const {
    return {files_.tokenizer(),
            request,
            {.mask_id = kMask, .begin = request.prompt_length, .stops = std::move(stops)}};
  }

  const ModelFiles files_ = testing::files_of(Family::llada, {}, {"<|x|>"});
  std::vector<TokenId> answer_;
};

TEST_F(FinalTextTest, PiecesMakeTheWholeInAnyOrder) {
  std::mt19937 random(3);
  const std::string text = "gr\xc3\xbc\xc3\x9f \xf0\x9f\x8c\xb3 abc \xe2\x82\xac.";
  for (int round = 0; round < 300; ++round) {
    const Request request = request_of(text);
    std::vector<int> order(answer_.size());
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    FinalText final_text = make(request);
    std::string out;
    std::vector<Decision> step;
    for (const int i : order) {
      step.push_back(decision(i));
      if (random() % 2 == 0) continue;
      const std::string piece = final_text.advance(step, static_cast<int>(request.tokens.size()));
      EXPECT_EQ(sanitize_utf8(piece), piece);  // never half a character
      out += piece;
      step.clear();
    }
    out += final_text.advance(step, static_cast<int>(request.tokens.size()));
    out += final_text.finish();
    EXPECT_EQ(out, text);
    EXPECT_EQ(out, files_.tokenizer().decode(answer_));
    EXPECT_EQ(final_text.tokens(), static_cast<int>(answer_.size()));
  }
}

TEST_F(FinalTextTest, WaitsForGapsAndEndsAtTheEndToken) {
  const Request request = request_of("ab$d");
  FinalText text = make(request);
  const auto take = [&](int i) {
    const Decision one = decision(i);
    return text.advance({&one, 1}, 6);
  };
  EXPECT_EQ(take(2), "");  // an end token behind masks means nothing yet
  EXPECT_FALSE(text.ended());
  EXPECT_EQ(take(0), "a");
  EXPECT_EQ(take(1), "b");
  EXPECT_TRUE(text.ended());
  EXPECT_FALSE(text.found_stop());
  EXPECT_EQ(take(3), "");
  EXPECT_EQ(text.finish(), "");
  EXPECT_EQ(text.tokens(), 2);
}

TEST_F(FinalTextTest, CutsAtAStopStringThatStraddlesTokens) {
  std::mt19937 random(5);
  for (int round = 0; round < 100; ++round) {
    const Request request = request_of("one STOP two STOP");
    std::vector<int> order(answer_.size());
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    FinalText text = make(request, {"STOP", "never"});
    std::string out;
    for (const int i : order) {
      const Decision one = decision(i);
      out += text.advance({&one, 1}, static_cast<int>(request.tokens.size()));
      EXPECT_THAT(std::string("one "), StartsWith(out));
    }
    EXPECT_EQ(out + text.finish(), "one ");
    EXPECT_TRUE(text.found_stop());
    EXPECT_EQ(text.tokens(), 8);  // up to the one that completes the stop string
  }
}

TEST_F(FinalTextTest, FollowsACanvasThatGrows) {
  const Request request = request_of("ab");
  FinalText text = make(request);
  const std::vector<Decision> first{decision(0), decision(1)};
  EXPECT_EQ(text.advance(first, 4), "ab");
  const Decision later{5, 'd', 1};
  EXPECT_EQ(text.advance({&later, 1}, 6), "");
  const Decision gap{4, 'c', 1};
  EXPECT_EQ(text.advance({&gap, 1}, 6), "cd");
  EXPECT_EQ(text.canvas().size(), 6U);
}

TEST_F(FinalTextTest, ReadsFromTheBeginningToAnEndWhenAsked) {
  const Request request = request_of("abc");
  FinalText text(files_.tokenizer(), request, {.mask_id = kMask, .begin = 0, .end = 4});
  const std::vector<Decision> all{decision(0), decision(1), decision(2)};
  EXPECT_EQ(text.advance(all, 5), "pqab");
  EXPECT_EQ(text.finish(), "");
}

TEST_F(FinalTextTest, TellsNothingThatAnEditMayStillReplace) {
  const Request request = request_of("abcd");
  FinalText text = make(request);
  const std::vector<Decision> all{decision(0), decision(1), decision(2), decision(3)};
  EXPECT_EQ(text.advance(all, 6, 3), "a");
  const Decision edit{4, 'x', 1};
  EXPECT_EQ(text.advance({&edit, 1}, 6, 3), "");
  EXPECT_EQ(text.advance({}, 6, 6), "bxd");
}

TEST_F(FinalTextTest, AHoleThatGrowsKeepsItsDistanceFromTheEnd) {
  Request request = request_of("ab");  // "pq", two masks
  request.tokens.push_back('z');
  request.growth = HoleGrowth{.most_tokens = 9};
  FinalText text(files_.tokenizer(), request, {.mask_id = kMask, .begin = 2, .end = 4});
  const std::vector<TokenId> grown{'p', 'q', 'a', kMask, kMask, 'z'};
  EXPECT_EQ(text.replace(grown, 3), "a");
  const std::vector<Decision> rest{{3, 'b', 1}, {4, 'c', 1}};
  EXPECT_EQ(text.advance(rest, 6, 6), "bc");
  EXPECT_EQ(text.finish(), "");
}

TEST_F(FinalTextTest, HalfACharacterAtTheEndIsReplaced) {
  const Request request = request_of("a\xc3");
  FinalText text = make(request);
  const std::vector<Decision> all{decision(0), decision(1)};
  EXPECT_EQ(text.advance(all, 4), "a");
  EXPECT_EQ(text.finish(), "\xef\xbf\xbd");
}

TEST_F(FinalTextTest, SpecialTokensHaveNoText) {
  const Request request = request_of("ab");
  FinalText text = make(request);
  const std::vector<Decision> all{{2, 258, 1}, decision(1)};
  EXPECT_EQ(text.advance(all, 4), "b");
}

}  // namespace
}  // namespace unmask
