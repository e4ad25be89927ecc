#include "serve/text/stop_strings.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <random>

namespace unmask {
namespace {

/// What is before the first of the strings, found by looking at the whole text.
std::string cut(const std::string& text, const std::vector<std::string>& stops) {
  size_t first = std::string::npos;
  for (const std::string& stop : stops) first = std::min(first, text.find(stop));
  return text.substr(0, first);
}

/// The text that comes out when `text` goes in as these pieces.
std::string run(const std::vector<std::string>& pieces, const std::vector<std::string>& stops) {
  StopStrings strings(stops);
  std::string out;
  for (const std::string& piece : pieces) out += strings.push(piece);
  return out + strings.finish();
}

TEST(StopStrings, EverySplitIntoThreeGivesTheSame) {
  const std::vector<std::vector<std::string>> sets{{"END"},     {"aab"},         {"\n\n"},
                                                   {"ab", "b"}, {"abab", "bab"}, {"E", "END"}};
  for (const std::string text :
       {"the END of it", "aaab and aab", "one\n\ntwo", "ababab", "xENxEND", "no end EN"}) {
    for (const auto& stops : sets) {
      for (size_t i = 0; i <= text.size(); ++i) {
        for (size_t j = i; j <= text.size(); ++j) {
          EXPECT_EQ(run({text.substr(0, i), text.substr(i, j - i), text.substr(j)}, stops),
                    cut(text, stops))
              << text << " at " << i << " and " << j;
        }
      }
    }
  }
}

TEST(StopStrings, ByteByByteOnRandomTexts) {
  std::mt19937 random(7);
  const auto word = [&](size_t most) {
    std::string text;
    for (size_t n = 1 + random() % most; n > 0; --n) text += static_cast<char>('a' + random() % 2);
    return text;
  };
  for (int round = 0; round < 2000; ++round) {
    const std::string text = word(20);
    std::vector<std::string> stops;
    for (size_t n = random() % 4; n > 0; --n) stops.push_back(word(5));
    std::vector<std::string> bytes;
    for (const char c : text) bytes.emplace_back(1, c);
    const std::string out = run(bytes, stops);
    // A longer string that begins earlier may end later than another that lies inside it, which a
    // reader from left to right meets first.
    const bool nested = std::any_of(stops.begin(), stops.end(), [&](const std::string& outer) {
      return std::any_of(stops.begin(), stops.end(), [&](const std::string& inner) {
        return inner.size() < outer.size() && outer.find(inner) < outer.size() - inner.size();
      });
    });
    if (nested) {
      EXPECT_TRUE(text.starts_with(out) && out.size() >= cut(text, stops).size());
    } else {
      EXPECT_EQ(out, cut(text, stops)) << text;
    }
  }
}

TEST(StopStrings, HoldsBackNoMoreThanItMust) {
  StopStrings strings({"###"});
  EXPECT_EQ(strings.push("a#"), "a");
  EXPECT_EQ(strings.push("b##"), "#b");
  EXPECT_EQ(strings.push("c"), "##c");
  EXPECT_FALSE(strings.found());
  EXPECT_EQ(strings.push("d####e"), "d");
  EXPECT_TRUE(strings.found());
  EXPECT_EQ(strings.push("f"), "");
  EXPECT_EQ(strings.finish(), "");
}

TEST(StopStrings, LetsEverythingThroughWithoutStrings) {
  StopStrings strings({});
  EXPECT_EQ(strings.push("a\n"), "a\n");
  EXPECT_EQ(strings.finish(), "");
  EXPECT_FALSE(strings.found());
}

}  // namespace
}  // namespace unmask
