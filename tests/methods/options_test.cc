#include "methods/options.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace unmask {
namespace {

/// The message of the Error that `read` throws; "" when it throws none.
template <typename Read>
std::string refusal(std::string_view text, const Read& read) {
  try {
    Options options("m", text);
    read(options);
    options.check_all_read();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Options, ReadsEveryType) {
  Options options("m", "share=0.25,n=-3,on=true,word=b");
  EXPECT_EQ(options.number("share", 1, 0, 1), 0.25);
  EXPECT_EQ(options.count("n", 0, -5, 5), -3);
  EXPECT_TRUE(options.flag("on", false));
  EXPECT_EQ(options.choice("word", {"a", "b"}), "b");
  options.check_all_read();
}

TEST(Options, FallsBackToTheDefaults) {
  Options options("m", "");
  EXPECT_EQ(options.number("share", 0.5, 0, 1), 0.5);
  EXPECT_EQ(options.count("n", 7, 0, 9), 7);
  EXPECT_FALSE(options.flag("on", false));
  EXPECT_EQ(options.choice("word", {"a", "b"}), "a");
  options.check_all_read();
}

TEST(Options, RefusesValuesNamingOptionAndRange) {
  const auto number = [](Options& o) { o.number("x", 0, 0, 1); };
  for (const char* wrong :
       {"x=", "x=a", "x=1.1", "x=-0.1", "x=nan", "x=inf", "x=0.5 ", "x=1e999"}) {
    EXPECT_NE(refusal(wrong, number).find("'x': found"), std::string::npos) << wrong;
    EXPECT_NE(refusal(wrong, number).find("from 0 to 1"), std::string::npos) << wrong;
  }
  const auto count = [](Options& o) { o.count("x", 0, 1, 8); };
  for (const char* wrong : {"x=0", "x=9", "x=1.5", "x=99999999999", "x=+1"}) {
    EXPECT_NE(refusal(wrong, count).find("from 1 to 8"), std::string::npos) << wrong;
  }
  EXPECT_NE(refusal("x=1", [](Options& o) { o.flag("x", true); }), "");
  EXPECT_NE(refusal("x=c",
                    [](Options& o) {
                      o.choice("x", {"a", "b"});
                    })
                .find("a or b"),
            std::string::npos);
}

TEST(Options, RefusesUnknownRepeatedAndMalformedParts) {
  const auto number = [](Options& o) { o.number("x", 0, 0, 1); };
  EXPECT_EQ(refusal("y=1", number), "[method] 'm' has no option 'y'; it has x");
  for (const char* wrong : {"x", "=1", "x=1,x=1", "x=1,,"}) EXPECT_NE(refusal(wrong, number), "");
  EXPECT_EQ(refusal("x=1", number), "");
}

}  // namespace
}  // namespace unmask
