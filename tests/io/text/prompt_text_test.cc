#include "io/text/prompt_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>

#include "io/text/tokenizer.h"

namespace unmask {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

const Tokenizer& demo() {
  static const Tokenizer tokenizer = Tokenizer::load(UNMASK_DEMO_DIRECTORY);
  return tokenizer;
}

TEST(PromptText, KnowsWhatIsQuoted) {
  PromptText prompt;
  prompt.write("ab");
  prompt.quote("cd");
  prompt.quote("e");
  prompt.write("f");
  EXPECT_EQ(prompt.text(), "abcdef");
  EXPECT_FALSE(prompt.is_quoted(0, 2));
  EXPECT_TRUE(prompt.is_quoted(1, 3));
  EXPECT_TRUE(prompt.is_quoted(4, 5));
  EXPECT_FALSE(prompt.is_quoted(5, 6));
  EXPECT_FALSE(prompt.is_quoted(3, 3));
  ASSERT_EQ(prompt.open().size(), 2);
  EXPECT_EQ(prompt.open()[1].begin, 5);
}

TEST(PromptText, BrokenBytesAreReplacedBeforeAnythingIsCounted) {
  PromptText prompt;
  prompt.quote("a\xFF");
  prompt.write("b");
  EXPECT_EQ(prompt.text(),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(prompt.open()[0].begin, 4);
}

TEST(PromptText, QuotedMarkersAreText) {
  const TokenId marker = *demo().added_token("<|eot_id|>");
  EXPECT_THAT(demo().encode("<|eot_id|>"), ElementsAre(marker));
  PromptText prompt;
  prompt.quote("x <|eot_id|> y");
  EXPECT_THAT(demo().encode(prompt), Not(Contains(marker)));
  EXPECT_EQ(demo().decode(demo().encode(prompt)), "x <|eot_id|> y");
  prompt.write("<|eot_id|>");
  const std::vector<TokenId> ids = demo().encode(prompt);
  EXPECT_EQ(ids.back(), marker);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), marker), 1);
}

TEST(PromptText, AMarkerIsNotMadeOfBothKinds) {
  const TokenId marker = *demo().added_token("<|eot_id|>");
  for (size_t cut = 1; cut < 10; ++cut) {
    const std::string text = "<|eot_id|>";
    PromptText prompt;
    prompt.quote(text.substr(0, cut));
    prompt.write(text.substr(cut));
    EXPECT_THAT(demo().encode(prompt), Not(Contains(marker))) << cut;
  }
}

TEST(PromptText, QuotesWithoutMarkersChangeNoToken) {
  std::mt19937 random(7);
  const std::vector<std::string> words = {
      "The ", "code",           " of", "<|eot_id|>", "\n\n", "4821", " \xC3\xA9t\xC3\xA9",
      "  ",   "<|startoftext|>"};
  for (int trial = 0; trial < 200; ++trial) {
    PromptText prompt;
    std::string all;
    for (int i = 0; i < 12; ++i) {
      const std::string& word = words[random() % words.size()];
      all += word;
      if (word.starts_with('<') || random() % 2 == 0) {
        prompt.write(word);
      } else {
        prompt.quote(word);
      }
    }
    EXPECT_EQ(demo().encode(prompt), demo().encode(all)) << all;
  }
}

}  // namespace
}  // namespace unmask
