#include "session/fill_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace unmask {
namespace {

using Parts = std::vector<FillPart>;

TEST(FillTemplate, HolesTakeTheBlankBeforeThem) {
  EXPECT_EQ(parse_fill_template("The ___ of France is ___.", 4),
            (Parts{{"The", 4}, {" of France is", 4}, {".", 0}}));
  EXPECT_EQ(parse_fill_template("a  ___", 2), (Parts{{"a ", 2}})) << "one blank only";
  EXPECT_EQ(parse_fill_template("a\n___", 2), (Parts{{"a\n", 2}}));
}

TEST(FillTemplate, HolesStandAnywhere) {
  EXPECT_EQ(parse_fill_template("___", 1), (Parts{{"", 1}}));
  EXPECT_EQ(parse_fill_template("___ end", 1), (Parts{{"", 1}, {" end", 0}}));
  EXPECT_EQ(parse_fill_template("______{3}___", 1), (Parts{{"", 3}, {"", 1}}));
}

TEST(FillTemplate, LongRunsAreOneHoleAndShortOnesText) {
  EXPECT_EQ(parse_fill_template("a__b ________ c", 4), (Parts{{"a__b", 4}, {" c", 0}}));
  EXPECT_THROW(parse_fill_template("a__b", 4), Error);
  EXPECT_THROW(parse_fill_template("", 4), Error);
}

TEST(FillTemplate, BracesGiveTheSize) {
  EXPECT_EQ(parse_fill_template("x ___{6}y", 4), (Parts{{"x", 6}, {"y", 0}}));
  EXPECT_EQ(parse_fill_template("x ___ {6}", 4), (Parts{{"x", 4}, {" {6}", 0}}));
  EXPECT_EQ(parse_fill_template("x ___{six}", 4), (Parts{{"x", 4}, {"{six}", 0}}));
  EXPECT_EQ(parse_fill_template("x ___{", 4), (Parts{{"x", 4}, {"{", 0}}));
  EXPECT_EQ(parse_fill_template("x ___{}", 4), (Parts{{"x", 4}, {"{}", 0}}));
}

TEST(FillTemplate, RefusesSizesThatMakeNoSense) {
  EXPECT_THROW(parse_fill_template("___{0}", 4), Error);
  EXPECT_THROW(parse_fill_template("___{999999}", 4), Error);
  EXPECT_THROW(parse_fill_template("___{99999999999999999999}", 4), Error);
}

}  // namespace
}  // namespace unmask
