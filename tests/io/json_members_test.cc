#include "io/json_members.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace unmask {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;

TEST(JsonMembers, KeepNumbersOrderAndSpaceInsideAsTheyWereWritten) {
  const auto members = json_members(
      R"({ "b" : 1.0 ,"a":12345678901234567890123,  "c":1e400, "\u0064": {"x": [1, "}"],"y":"\""} })");
  EXPECT_THAT(members,
              ElementsAre(Field(&JsonMember::text, R"("b" : 1.0)"),
                          Field(&JsonMember::text, R"("a":12345678901234567890123)"),
                          Field(&JsonMember::text, R"("c":1e400)"),
                          Field(&JsonMember::text, R"("\u0064": {"x": [1, "}"],"y":"\""})")));
  EXPECT_EQ(members.back().name, "d");
}

TEST(JsonMembers, OfAnEmptyObjectAreNone) {
  EXPECT_TRUE(json_members("{}").empty());
  EXPECT_TRUE(json_members(" { } ").empty());
}

TEST(JsonMembers, NumbersAreReplacedOutsideStringsOnly) {
  EXPECT_EQ(without_numbers(R"({"a 1": [-1e400, 0.5, "2"], "b":10})"),
            R"({"a 1": [0, 0, "2"], "b":0})");
}

TEST(JsonMembers, WhatIsNoNumberStays) {
  for (const char* wrong : {"01", "1.", "-", "1e", "--1", "1.e5", "1-2"}) {
    EXPECT_EQ(without_numbers(wrong), wrong);
  }
  EXPECT_EQ(without_numbers("[+1, .5, true1]"), "[+0, .0, true0]") << "as wrong as before";
}

}  // namespace
}  // namespace unmask
