#include "io/text/pretokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "io/text/utf8.h"

namespace unmask {
namespace {

using Pieces = std::vector<std::string_view>;

constexpr const char* kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
    R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kLlada =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|)"
    R"(\s*[\r\n]|\s+(?!\S)|\s+)";

Pieces split(std::string_view pattern, std::string_view text) {
  Pieces pieces;
  SplitPattern(pattern).split(text, pieces);
  return pieces;
}

class FamilyPattern : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Pretokenizer, FamilyPattern, ::testing::Values(kQwen2, kLlada));

TEST_P(FamilyPattern, CutsWordsNumbersAndSpace) {
  EXPECT_EQ(split(GetParam(), ""), Pieces{});
  EXPECT_EQ(split(GetParam(), "Hello world"), (Pieces{"Hello", " world"}));
  EXPECT_EQ(split(GetParam(), "a  b"), (Pieces{"a", " ", " b"}));
  EXPECT_EQ(split(GetParam(), "x = 123;\n\n  y"),
            (Pieces{"x", " =", " ", "1", "2", "3", ";\n\n", " ", " y"}));
  EXPECT_EQ(split(GetParam(), "end   "), (Pieces{"end", "   "}));
  EXPECT_EQ(split(GetParam(), "a\r\n b"), (Pieces{"a", "\r\n", " b"}));
}

TEST_P(FamilyPattern, ContractionsIgnoreCase) {
  EXPECT_EQ(split(GetParam(), "don't WE'LL"), (Pieces{"don", "'t", " WE", "'LL"}));
  EXPECT_EQ(split(GetParam(), "it'\xC5\xBF ok"), (Pieces{"it", "'\xC5\xBF", " ok"}))
      << "U+017F folds to s";
}

TEST_P(FamilyPattern, ClassesAreThoseOfUnicode16) {
  EXPECT_EQ(split(GetParam(), "a\xE1\xA0\x8E\x62"), (Pieces{"a", "\xE1\xA0\x8E\x62"}))
      << "U+180E is no white space";
  const std::string garay = "\xF0\x90\xB5\x8A";  // U+10D4A, a letter since 16.0
  EXPECT_EQ(split(GetParam(), garay + garay), (Pieces{garay + garay}));
}

TEST_P(FamilyPattern, LongRunsAreFast) {
  for (const std::string unit : {"a", " ", "\n", "!", "1", "\xE4\xB8\xAD"}) {
    std::string text;
    for (int i = 0; i < 1'000'000; ++i) text += unit;
    size_t bytes = 0;
    for (const std::string_view piece : split(GetParam(), text)) bytes += piece.size();
    EXPECT_EQ(bytes, text.size());
  }
}

TEST(Pretokenizer, TextBetweenMatchesIsAPiece) {
  EXPECT_EQ(split("b+", "abbacb"), (Pieces{"a", "bb", "ac", "b"}));
  EXPECT_EQ(split("b", "xyz"), (Pieces{"xyz"}));
  EXPECT_EQ(split("b*", "abba"), (Pieces{"a", "bb", "a"})) << "empty matches do not count";
}

TEST(Pretokenizer, LineAnchorsFollowTheReferenceSyntax) {
  EXPECT_EQ(split("^b", "ab\nb"), (Pieces{"ab\n", "b"}));
  EXPECT_EQ(split("a$", "a\nba"), (Pieces{"a", "\nb", "a"}));
}

TEST(Pretokenizer, AdaptsClasses) {
  EXPECT_EQ(adapt_pattern(R"(a\.[\]b]\d\p{Han}\p{Lu})"), R"(a\.[\]b]\d\p{Han}\p{Lu})");
  EXPECT_EQ(split(R"(\S+)", "a\xC2\x85 b"), (Pieces{"a", "\xC2\x85 ", "b"}));
  EXPECT_EQ(split(R"([\S]+)", "a\xC2\x85 b"), (Pieces{"a", "\xC2\x85 ", "b"}));
  EXPECT_EQ(split(R"([^\S]+)", "a\t b"), (Pieces{"a", "\t ", "b"}));
  EXPECT_EQ(split(R"(\P{L}+)", "ab12c"), (Pieces{"ab", "12", "c"}));
  EXPECT_EQ(split(R"(\p{^N}+)", "12ab"), (Pieces{"12", "ab"}));
  EXPECT_EQ(split(R"(\pN)", "a1b"), (Pieces{"a", "1", "b"}));
  EXPECT_EQ(split(R"([]a]+)", "x]ab"), (Pieces{"x", "]a", "b"}));
}

TEST(Pretokenizer, RefusesWhatTheEnginesReadDifferently) {
  for (const char* pattern : {R"(\w+)", R"(\bx)", R"(\h)", R"([a[b]])", R"([a&&b])",
                              R"([[:alpha:]])", R"((?m:.))", R"([\P{L}])", R"(\Qa\E)"}) {
    EXPECT_THROW(adapt_pattern(pattern), Error) << pattern;
  }
}

TEST(Pretokenizer, RefusesBrokenPatterns) {
  for (const char* pattern :
       {"(", "[a", "a\\", R"(\p{L)", R"(\p)", R"(\p{Nonsense})", "a{2,1}", R"(\C)"}) {
    EXPECT_THROW(SplitPattern{pattern}, Error) << pattern;
  }
  EXPECT_THROW(SplitPattern{std::string(100'000, 'a')}, Error);
}

TEST(Pretokenizer, CatastrophicPatternsEndWithAnError) {
  EXPECT_THROW(split("(?:a+)+[bc]", std::string(60, 'a')), Error);
}

TEST(Pretokenizer, AllPiecesTogetherHaveALimitOfTime) {
  // Each piece alone stays below the limit of steps.
  std::string text;
  for (int i = 0; i < 4000; ++i) text += std::string(22, 'a') + ' ';
  try {
    split("(?:a+)+b| ", text);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("processor time"));
  }
}

TEST(Pretokenizer, GroupsCaptureNothing) {
  std::string groups;
  std::string named;
  for (int i = 0; i < 3000; ++i) groups += "()";
  for (int i = 0; i < 100; ++i) named += "(?<n" + std::to_string(i) + ">)";
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += "a ";
  EXPECT_EQ(split(groups + "[a ]", text).size(), text.size());
  EXPECT_THROW(SplitPattern(named + "a"), Error);
  EXPECT_THROW(SplitPattern(R"((a)\1)"), Error) << "there is nothing to refer back to";
}

}  // namespace
}  // namespace unmask
