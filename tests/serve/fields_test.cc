#include "serve/fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/refusal.h"

namespace unmask {
namespace {

using nlohmann::json;
using testing::expect_refusal;
using ::testing::HasSubstr;
using testing::refusal;

/// The error that a body is answered with.
ApiError of_body(const std::string& text) {
  return refusal([&] { parse_body(text); });
}

TEST(ParseBody, RefusesWhatIsNoJsonObject) {
  for (const char* text : {"", "{", "{} x", "[1]", "null", "3", "\"x\"", "{\"a\":NaN}",
                           "{\"a\":1e999}", "{\"a\":1,\"a\":2}", "{\"a\":\"\xff\"}",
                           "{\"a\":\"\\ud800\"}", "{'a':1}", "{\"a\":1,}", "\xef\xbb\xbfx"}) {
    const ApiError error = of_body(text);
    EXPECT_EQ(error.status, 400) << text;
    EXPECT_EQ(error.code, "invalid_json") << text;
  }
}

TEST(ParseBody, RefusesDepthAndNumberOfValues) {
  EXPECT_EQ(of_body(std::string(100'000, '[')).code, "invalid_json");
  std::string deep = "1";
  for (int i = 0; i < 62; ++i) deep = "[" + deep + "]";
  EXPECT_EQ(parse_body("{\"a\":" + deep + "}").size(), 1U);
  EXPECT_EQ(of_body("{\"a\":[[[" + deep + "]]]}").code, "invalid_json");
  std::string many = "{\"a\":[0";
  for (int i = 0; i < 200'000; ++i) many += ",0";
  EXPECT_THAT(of_body(many + "]}").message, HasSubstr("200000 values"));
  EXPECT_EQ(parse_body(R"({"a":"1,2,\",3"})")["a"], "1,2,\",3");
}

class FieldsTest : public ::testing::Test {
 protected:
  const json document_ = json::parse(R"({
    "text": "abc", "yes": true, "seven": 7, "half": 0.5, "big": 18446744073709551615, "none": null,
    "minus": -1, "whole": 2.0, "inner": {"x": 1, "odd": 2}, "list": [1, "b"], "empty": []})");
  Fields fields_{document_};
};

TEST_F(FieldsTest, ReadsValues) {
  EXPECT_EQ(fields_.text("text"), "abc");
  EXPECT_EQ(fields_.flag("yes"), true);
  EXPECT_EQ(fields_.whole("minus", -5, 5), -1);
  EXPECT_EQ(fields_.count("seven", 1), 7);
  EXPECT_EQ(fields_.number("half", 0, 1), 0.5);
  EXPECT_EQ(fields_.number("seven", 0, 7), 7);
  EXPECT_EQ(fields_.array("list", 1, 2).size(), 2U);
  EXPECT_EQ(fields_.object("inner")->count("x", 0), 1);
  EXPECT_EQ(fields_.choice("text", {"x", "abc"}), "abc");
}

TEST_F(FieldsTest, NullCountsAsAbsent) {
  for (const char* name : {"none", "missing"}) {
    EXPECT_EQ(fields_.find(name), nullptr);
    EXPECT_FALSE(fields_.text(name));
    EXPECT_FALSE(fields_.flag(name));
    EXPECT_FALSE(fields_.count(name, 1));
    EXPECT_FALSE(fields_.number(name, 1, 2));
    EXPECT_FALSE(fields_.object(name));
    EXPECT_TRUE(fields_.array(name, 1, 2).empty());
    EXPECT_EQ(fields_.choice(name, {"x", "y"}), "x");
  }
}

TEST_F(FieldsTest, NamesWhatIsOfAnotherType) {
  expect_refusal([&] { fields_.text("seven"); }, "seven");
  expect_refusal([&] { fields_.text("text", 2); }, "text");
  expect_refusal([&] { fields_.flag("seven"); }, "seven");
  expect_refusal([&] { fields_.count("half", 0); }, "half");
  expect_refusal([&] { fields_.count("whole", 0); }, "whole");
  expect_refusal([&] { fields_.number("text", 0, 1); }, "text");
  expect_refusal([&] { fields_.object("list"); }, "list");
  expect_refusal([&] { fields_.array("inner", 0, 9); }, "inner");
  expect_refusal([&] { fields_.choice("text", {"x", "y"}); }, "text");
}

TEST_F(FieldsTest, NamesWhatIsOutOfRange) {
  expect_refusal([&] { fields_.count("minus", 0); }, "minus");
  expect_refusal([&] { fields_.whole("big", 0, std::numeric_limits<int64_t>::max()); }, "big");
  expect_refusal([&] { fields_.count("big", 0); }, "big");
  expect_refusal([&] { fields_.count("seven", 8, 9); }, "seven");
  expect_refusal([&] { fields_.number("half", 0.6, 1); }, "half");
  expect_refusal([&] { fields_.array("list", 3, 9); }, "list");
  expect_refusal([&] { fields_.array("list", 0, 1); }, "list");
  expect_refusal([&] { fields_.array("empty", 1, 9); }, "empty");
}

TEST_F(FieldsTest, PathsAreDotted) {
  auto inner = fields_.object("inner");
  expect_refusal([&] { inner->flag("x"); }, "inner.x");
  const ApiError error = refusal([&] { inner->refuse_unknown(); });
  EXPECT_EQ(error.code, "unknown_parameter");
  EXPECT_EQ(error.param, "inner.odd");
  EXPECT_THAT(error.message, HasSubstr("known are x"));
  EXPECT_EQ(element_path("messages", 3), "messages[3]");
}

TEST(Shown, IsShortAndPrintable) {
  EXPECT_EQ(shown(json(12)), "12");
  EXPECT_EQ(shown(json::array({1})), "an array");
  EXPECT_LT(shown(json(std::string(1000, 'x'))).size(), 60U);
  EXPECT_EQ(shown(json("a\nb")).find('\n'), std::string::npos);
}

}  // namespace
}  // namespace unmask
