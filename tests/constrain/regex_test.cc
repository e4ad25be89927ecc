#include "constrain/regex.h"

#include <ctime>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "constrain/automaton.h"
#include "core/error.h"
#include "io/text/utf8.h"

namespace unmask {
namespace {

using ::testing::HasSubstr;

Automaton compile(std::string_view pattern) {
  Expressions e;
  return Automaton::compile(e, pattern_expression(e, pattern, "[test]"), "[test]");
}

/// Whether the string matches, which is spelled as JSON first.
bool matches(std::string_view pattern, const std::string& text) {
  const std::string quoted = nlohmann::json(text).dump();
  return compile(pattern).accepts(std::string_view(quoted).substr(1, quoted.size() - 2));
}

std::string error_of(std::string_view pattern) try {
  compile(pattern);
  return "";
} catch (const Error& error) {
  EXPECT_EQ(error.code(), ErrorCode::schema);
  return error.what();
}

TEST(Regex, MatchesAnywhereUnlessAnchored) {
  EXPECT_TRUE(matches("b", "abc"));
  EXPECT_FALSE(matches("^b", "abc"));
  EXPECT_TRUE(matches("^a", "abc"));
  EXPECT_FALSE(matches("a$", "abc"));
  EXPECT_TRUE(matches("^abc$", "abc"));
  EXPECT_TRUE(matches("^a|c$", "axx"));
  EXPECT_TRUE(matches("^a|c$", "xxc"));
  EXPECT_FALSE(matches("^a|c$", "xax"));
  EXPECT_TRUE(matches("", "anything"));
  EXPECT_FALSE(matches("^$", "x"));
}

TEST(Regex, KnowsClassesRepeatsAndGroups) {
  EXPECT_TRUE(matches("^[a-c]+$", "abcabc"));
  EXPECT_FALSE(matches("^[^a-c]+$", "xbx"));
  EXPECT_TRUE(matches("^[^a-c]+$", "xy\n\"\\"));
  EXPECT_TRUE(matches("^\\d{2,3}$", "123"));
  EXPECT_FALSE(matches("^\\d{2,3}$", "1234"));
  EXPECT_TRUE(matches("^\\d{2,}$", "12345"));
  EXPECT_TRUE(matches("^(?:ab|c)*?d?$", "abcabd"));
  EXPECT_TRUE(matches("^[\\w.-]+@$", "a_b-c.d@"));
  EXPECT_TRUE(matches("^[a\\]-]$", "-"));
  EXPECT_TRUE(matches("^\\x41\\u00e9\\.\\/$", "A\u00e9./"));
  EXPECT_TRUE(matches("^a.c$", "a\u65e5c"));
  EXPECT_FALSE(matches("^a.c$", "a\nc"));
  EXPECT_TRUE(matches("^[\u00e0-\U0001f600]{3}$", "\u00e9\u65e5\U0001f5ff"));
  EXPECT_FALSE(matches("^[\u00e0-\U0001f600]$", "\U0001f601"));
  EXPECT_TRUE(matches("^\\s\\S$", "\tx"));
  EXPECT_TRUE(matches("^[\\n\"\\\\]+$", "\n\"\\"));
}

TEST(Regex, EveryCharacterHasOneSpelling) {
  const Automaton any = compile("^(?:.|\\n|\\r)$");
  for (const char32_t c : {U'\x20', U'\x7f', U'\x80', U'\x7ff', U'\x800', U'\xd7ff', U'\xe000',
                           U'\xffff', U'\x10000', U'\x10ffff'}) {
    std::string text;
    append_utf8(c, text);
    EXPECT_TRUE(any.accepts(text)) << static_cast<uint32_t>(c);
  }
  EXPECT_FALSE(any.accepts("\x01"));
  EXPECT_FALSE(any.accepts("\""));
  EXPECT_FALSE(any.accepts("\\"));
  EXPECT_FALSE(any.accepts("\xed\xa0\x80"));  // a surrogate
  EXPECT_FALSE(any.accepts("\xc0\x80"));      // too long a form
  EXPECT_FALSE(any.accepts("\xf4\x90\x80\x80"));
}

TEST(Regex, RefusesWhatItDoesNotUnderstand) {
  EXPECT_THAT(error_of("(?=a)"), HasSubstr("special group"));
  EXPECT_THAT(error_of("(?<name>a)"), HasSubstr("special group"));
  EXPECT_THAT(error_of("a\\b"), HasSubstr("escape '\\b'"));
  EXPECT_THAT(error_of("(a)\\1"), HasSubstr("escape '\\1'"));
  EXPECT_THAT(error_of("\\p{L}"), HasSubstr("escape"));
  EXPECT_THAT(error_of("a{65}"), HasSubstr("0 to 64"));
  EXPECT_THAT(error_of("a{3,2}"), HasSubstr("n <= m"));
  EXPECT_THAT(error_of("a++"), HasSubstr("repeat of a repeat"));
  EXPECT_THAT(error_of("a^b"), HasSubstr("anchor inside"));
  EXPECT_THAT(error_of("(a$)b"), HasSubstr("anchor inside"));
  for (const char* broken : {"(a", "a)", "[a", "a{2", "*a", "\\", "[z-a]", "[\\d-z]", "\\u12", "a{",
                             "]", "\\x4g", "\xff"}) {
    EXPECT_NE(error_of(broken), "") << broken;
  }
  EXPECT_NE(error_of(std::string(2000, 'a')), "");
  EXPECT_NE(error_of(std::string(40, '(') + std::string(40, ')')), "");
}

TEST(Regex, TakesNoLongTime) {
  for (const char* pattern :
       {"(a+)+$", "^(a|a)*$", "^(a*)*b$", "(((a{1,8}){1,8}){1,8}){1,8}", "(a|b)*a(a|b){30}",
        "^(.*a){20}$", "(x+x+)+y", "[a-z]{64}[0-9]{64}.*foo.*bar.*baz"}) {
    const std::clock_t start = std::clock();  // of this process, whatever runs beside it
    const std::string error = error_of(pattern);
    EXPECT_LT((std::clock() - start) / CLOCKS_PER_SEC, 2) << pattern << error;  // some 0.1 s
  }
}

}  // namespace
}  // namespace unmask
