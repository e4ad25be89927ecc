#include "io/json_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using ::testing::HasSubstr;

std::string error_of(std::string_view text, const JsonLimits& limits = {}) {
  try {
    parse_json(text, "[test] x.json", limits);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Json, BuildsTheSameValueAsTheLibrary) {
  for (const std::string text :
       {R"({"a": [1, -2, 3.5, null, true, "x\u00e9"], "b": {"c": {}, "d": [[], {"e": 1}]}})",
        "[[[1, 2], [3]], []]", "17", "\"s\"", "null", "-9223372036854775808",
        "18446744073709551615"}) {
    EXPECT_EQ(parse_json(text, "x"), nlohmann::json::parse(text)) << text;
  }
  EXPECT_TRUE(parse_json("18446744073709551615", "x").is_number_unsigned());
}

TEST(Json, RefusesDuplicateKeysAtEveryLevel) {
  EXPECT_THAT(error_of(R"({"a": 1, "a": 1})"), HasSubstr("'a' occurs twice"));
  EXPECT_THAT(error_of(R"([{"x": {"b": 1, "c": 2, "b": 3}}])"), HasSubstr("'b' occurs twice"));
  EXPECT_EQ(error_of(R"([{"a": 1}, {"a": {"a": 2}}])"), "");
}

TEST(Json, KeepsTheOrderOfKeysOnRequest) {
  const std::string text = R"({"z":1,"a":{"y":[{"c":2,"b":3}],"x":null}})";
  EXPECT_EQ(parse_ordered_json(text, "x").dump(), text);
  EXPECT_THROW(parse_ordered_json(R"({"a": {"z": 1, "b": 2, "z": 3}})", "x"), Error);
}

TEST(Json, RefusesBrokenText) {
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[1,]"), std::string("{} {}"),
        std::string("nul"), std::string("\"\xFF\""), std::string("[1] x"), std::string("{1: 2}"),
        std::string("{}\0\"", 4), std::string("1\0", 2)}) {
    EXPECT_THAT(error_of(text), HasSubstr("[test] x.json: not well-formed")) << text;
  }
}

TEST(Json, LimitsDepthAndSize) {
  EXPECT_EQ(error_of(std::string(64, '[') + std::string(64, ']')), "");
  EXPECT_THAT(error_of(std::string(1'000'000, '[')), HasSubstr("deeper than 64"));
  EXPECT_THAT(error_of("[1, 2]", {.max_bytes = 5}), HasSubstr("6 bytes"));
}

TEST(Json, FilesMustExistAndBeRegular) {
  const testing::TempDir dir;
  EXPECT_THROW(read_json_file(dir.path() / "absent.json"), Error);
  EXPECT_THROW(read_json_file(dir.path()), Error);
  dir.write("ok.json", "{\"a\": 1}");
  EXPECT_EQ(read_json_file(dir.path() / "ok.json")["a"], 1);
  EXPECT_THROW(read_text_file(dir.path() / "ok.json", 3), Error);
  dir.write("empty", "");
  EXPECT_EQ(read_text_file(dir.path() / "empty", 0), "");
}

}  // namespace
}  // namespace unmask
