#include "io/text/utf8.h"

#include <gtest/gtest.h>

namespace unmask {
namespace {

TEST(Utf8, StepsThroughCharactersOfEveryLength) {
  const std::string text = "a\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80";
  const char32_t expected[] = {U'a', U'\u00E9', U'\u4E2D', U'\U0001F600'};
  size_t at = 0;
  for (const char32_t c : expected) {
    const Utf8Step step = utf8_step(text, at);
    EXPECT_EQ(step.status, Utf8Status::valid);
    EXPECT_EQ(step.code_point, c);
    at += static_cast<size_t>(step.length);
  }
  EXPECT_EQ(at, text.size());
}

TEST(Utf8, TellsTruncatedFromInvalid) {
  EXPECT_EQ(utf8_step("\xE4\xB8", 0).status, Utf8Status::truncated);
  EXPECT_EQ(utf8_step("\xE4\xB8", 0).length, 2);
  EXPECT_EQ(utf8_step("\xE4\xB8x", 0).status, Utf8Status::invalid);
  EXPECT_EQ(utf8_step("\xE4\xB8x", 0).length, 2);
  EXPECT_EQ(utf8_step("\x80", 0).status, Utf8Status::invalid);
  EXPECT_EQ(utf8_step("\xF4\x90", 0).length, 1) << "beyond U+10FFFF";
}

TEST(Utf8, SanitizeReplacesEachMaximalSubpart) {
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(sanitize_utf8(""), "");
  EXPECT_EQ(sanitize_utf8(std::string("a\0b", 3)), std::string("a\0b", 3));
  EXPECT_EQ(sanitize_utf8("\xC0\xAF"), bad + bad) << "overlong";
  EXPECT_EQ(sanitize_utf8("\xED\xA0\x80"), bad + bad + bad) << "surrogate";
  EXPECT_EQ(sanitize_utf8("\xF0\x9F\x98x"), bad + "x") << "one for three bytes";
  EXPECT_EQ(sanitize_utf8("\xE2\x82"), bad) << "at the end";
}

TEST(Utf8, AppendWritesWhatStepReads) {
  for (const char32_t c : {0x0U, 0x7FU, 0x80U, 0x7FFU, 0x800U, 0xFFFFU, 0x10000U, 0x10FFFFU}) {
    std::string text;
    append_utf8(c, text);
    EXPECT_EQ(utf8_step(text, 0).code_point, c);
    EXPECT_EQ(static_cast<size_t>(utf8_step(text, 0).length), text.size());
  }
}

TEST(Utf8, TrimFollowsPython) {
  EXPECT_EQ(trim_unicode(""), "");
  EXPECT_EQ(trim_unicode(" \t\r\n\v\f"), "");
  EXPECT_EQ(trim_unicode("\x1C\x1F a b \xC2\x85\xC2\xA0\xE3\x80\x80"), "a b");
  EXPECT_EQ(trim_unicode("\xEF\xBB\xBF a"), "\xEF\xBB\xBF a") << "U+FEFF stays";
  EXPECT_EQ(trim_unicode("a\xE2\x80\x8B"), "a\xE2\x80\x8B") << "U+200B stays";
  EXPECT_EQ(trim_unicode(std::string("\0 ", 2)), std::string("\0", 1));
}

TEST(Nfc, ComposesAndOrdersMarks) {
  EXPECT_EQ(normalize_nfc("plain"), "plain");
  EXPECT_EQ(normalize_nfc("e\xCC\x81"), "\xC3\xA9");
  EXPECT_EQ(normalize_nfc("\xE2\x84\xAB"), "\xC3\x85") << "Angstrom sign";
  EXPECT_EQ(normalize_nfc("q\xCC\x87\xCC\xA3"), "q\xCC\xA3\xCC\x87");
  EXPECT_EQ(normalize_nfc("\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB"), "\xED\x95\x9C") << "Hangul";
  EXPECT_EQ(normalize_nfc("\xE0\xA5\x98"), "\xE0\xA4\x95\xE0\xA4\xBC") << "composition exclusion";
  EXPECT_EQ(normalize_nfc(std::string("a\0e\xCC\x81", 5)), std::string("a\0\xC3\xA9", 4));
}

TEST(Nfc, LongRunsOfMarksAreNotQuadratic) {
  std::string text = "a";
  std::string expected = "\xE1\xBA\xA1";  // a with dot below
  constexpr int kMarks = 200'000;
  for (int i = 0; i < kMarks; ++i) text += "\xCC\x81";      // class 230
  for (int i = 0; i < kMarks; ++i) text += "\xCC\xA3";      // class 220
  for (int i = 1; i < kMarks; ++i) expected += "\xCC\xA3";  // one is in the first character
  for (int i = 0; i < kMarks; ++i) expected += "\xCC\x81";
  EXPECT_TRUE(normalize_nfc(text) == expected);
}

}  // namespace
}  // namespace unmask
