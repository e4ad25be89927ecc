#include "constrain/schema.h"

#include <chrono>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "constrain/automaton_walk.h"
#include "core/error.h"

namespace unmask {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Automaton compile_text(std::string_view schema) {
  return compile_schema(ordered_json::parse(schema));
}

std::string error_of(const ordered_json& schema) try {
  compile_schema(schema);
  return "";
} catch (const Error& error) {
  EXPECT_EQ(error.code(), ErrorCode::schema) << error.what();
  EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos);
  return error.what();
}

TEST(Schema, WritesObjectsInTheirDeclaredOrder) {
  const Automaton a = compile_text(R"({
    "type": "object", "title": "T", "description": "annotations have no effect",
    "properties": {"z": {"type": "integer"}, "a": {"type": "boolean"}, "m": {"type": "null"}},
    "required": ["a"], "additionalProperties": false})");
  EXPECT_TRUE(a.accepts(R"({"z": 1, "a": true, "m": null})"));
  EXPECT_TRUE(a.accepts(R"({"a": true, "m": null})"));
  EXPECT_TRUE(a.accepts(R"({"z": 1, "a": true})"));
  EXPECT_TRUE(a.accepts(R"({"a": false})"));
  EXPECT_FALSE(a.accepts(R"({"z": 1})"));
  EXPECT_FALSE(a.accepts(R"({"a": true, "z": 1})"));
  EXPECT_FALSE(a.accepts(R"({"a":true})"));
  EXPECT_FALSE(a.accepts(R"({"a": true, "b": 1})"));
  EXPECT_FALSE(a.accepts(R"({"a": true,)"));
  const Automaton optional =
      compile_text(R"({"properties": {"a": {"const": 1}, "b": {"const": 2}}})");
  for (const char* text : {"{}", R"({"a": 1})", R"({"b": 2})", R"({"a": 1, "b": 2})"}) {
    EXPECT_TRUE(optional.accepts(text)) << text;
  }
  EXPECT_FALSE(optional.accepts(R"({, "b": 2})"));
  EXPECT_TRUE(compile_text(R"({"type": "object", "additionalProperties": false})").accepts("{}"));
}

TEST(Schema, WritesArrays) {
  const auto accepts = [](const char* schema, const char* text) {
    return compile_text(schema).accepts(text);
  };
  const char* const some =
      R"({"type": "array", "items": {"enum": [1, 2]}, "minItems": 1, "maxItems": 3})";
  EXPECT_FALSE(accepts(some, "[]"));
  EXPECT_TRUE(accepts(some, "[1]"));
  EXPECT_TRUE(accepts(some, "[1, 2, 1]"));
  EXPECT_FALSE(accepts(some, "[1, 2, 1, 1]"));
  const char* const tuple =
      R"({"prefixItems": [{"const": "a"}, {"const": 1}], "items": false, "minItems": 1})";
  EXPECT_FALSE(accepts(tuple, "[]"));
  EXPECT_TRUE(accepts(tuple, "[\"a\"]"));
  EXPECT_TRUE(accepts(tuple, "[\"a\", 1]"));
  EXPECT_FALSE(accepts(tuple, "[\"a\", 1, 1]"));
  EXPECT_TRUE(accepts(R"({"items": {"const": 0}})", "[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]"));
  EXPECT_TRUE(accepts(R"({"items": {"const": 0}, "maxItems": 0})", "[]"));
  EXPECT_FALSE(accepts(R"({"items": {"const": 0}, "maxItems": 0})", "[0]"));
  EXPECT_TRUE(accepts(R"({"prefixItems": [{"const": 1}], "items": {"const": 2}})", "[1, 2, 2]"));
  EXPECT_TRUE(accepts(R"({"type": "array"})", R"([1, "a", {"b": [2]}])"));
}

TEST(Schema, BoundsNumbers) {
  std::mt19937_64 random(5);
  for (int n = 0; n < 60; ++n) {
    const int least = static_cast<int>(random() % 3000) - 1500;
    const int most = least + static_cast<int>(random() % 1200);
    const Automaton whole =
        compile_schema({{"type", "integer"}, {"minimum", least}, {"maximum", most}});
    const Automaton real = compile_schema(
        {{"type", "number"}, {"exclusiveMinimum", least}, {"exclusiveMaximum", most + 1}});
    for (int value = least - 1100; value < most + 1100; value += 1 + n % 3) {
      const bool inside = least <= value && value <= most;
      ASSERT_EQ(whole.accepts(std::to_string(value)), inside) << least << ' ' << value;
      const double half = value < 0 ? value - 0.5 : value + 0.5;
      ASSERT_EQ(real.accepts(fmt::format("{}", half)), least < half && half < most + 1) << half;
      ASSERT_EQ(real.accepts(fmt::format("{}.0", value)), least < value && value < most + 1);
    }
  }
  EXPECT_TRUE(compile_text(R"({"type": "number", "exclusiveMinimum": 0})").accepts("0.001"));
  EXPECT_FALSE(compile_text(R"({"type": "number", "exclusiveMinimum": 0})").accepts("0.00"));
  EXPECT_TRUE(compile_text(R"({"type": "number", "minimum": 0})").accepts("0.00"));
  EXPECT_TRUE(compile_text(R"({"type": "number"})").accepts("-1.5e-30"));
  EXPECT_TRUE(
      compile_text(R"({"type": "integer", "minimum": 0.5, "exclusiveMaximum": 2})").accepts("1"));
}

TEST(Schema, NumbersSurviveAParserAsTheyWereWritten) {
  std::mt19937_64 random(6);
  const Automaton integer = compile_text(R"({"type": "integer"})");
  const Automaton number = compile_text(R"({"type": "number"})");
  for (int n = 0; n < 300; ++n) {
    const std::string text = testing::random_text(integer, 20, random);
    const auto value = ordered_json::parse(text);
    EXPECT_TRUE(value.is_number_integer()) << text;
    EXPECT_EQ(value.dump(), text);
    EXPECT_TRUE(ordered_json::parse(testing::random_text(number, 40, random)).is_number());
  }
}

TEST(Schema, StringsHoldEveryCharacterAndEscapesOfJson) {
  const Automaton a = compile_text(R"({"type": "string"})");
  const std::string all = "\" \\ / \b\f\n\r\t \x7f \u00e9 \u65e5\u672c \U0001f600";
  EXPECT_TRUE(a.accepts(ordered_json(all).dump()));
  EXPECT_FALSE(a.accepts("\"\n\""));
  EXPECT_FALSE(a.accepts("\"\xff\""));
  EXPECT_FALSE(a.accepts("\"\\x\""));
  std::mt19937_64 random(8);
  for (int n = 0; n < 200; ++n) {
    const std::string text = testing::random_text(a, 60, random);
    EXPECT_EQ(ordered_json::parse(text).dump(), text);
  }
  const Automaton three = compile_text(R"({"type": "string", "minLength": 3, "maxLength": 3})");
  EXPECT_TRUE(three.accepts("\"\u65e5\\n\U0001f600\""));
  EXPECT_FALSE(three.accepts("\"\u65e5\U0001f600\""));
  EXPECT_FALSE(three.accepts("\"abcd\""));
  const Automaton both = compile_text(R"({"pattern": "b", "minLength": 2, "maxLength": 2})");
  EXPECT_TRUE(both.accepts("\"xb\""));
  EXPECT_TRUE(both.accepts("\"b\\n\""));
  EXPECT_FALSE(both.accepts("\"b\""));
  EXPECT_FALSE(both.accepts("\"xx\""));
}

TEST(Schema, EnumerationsFollowReferencesAndAlternatives) {
  const Automaton a = compile_text(R"({
    "$defs": {"kind": {"enum": ["x", 1, {"b": [1, 2.5], "a": null}], "type": ["string", "object"]},
              "more/~": {"$ref": "#/$defs/kind"}},
    "anyOf": [{"$ref": "#/$defs/more~1~0"}, {"oneOf": [
      {"properties": {"t": {"const": "p"}, "v": {"type": "integer"}}, "required": ["t", "v"],
       "type": "object"},
      {"properties": {"t": {"const": "q"}}, "required": ["t"], "type": "object"}]}]})");
  for (const char* text :
       {R"("x")", R"({"b": [1, 2.5], "a": null})", R"({"t": "p", "v": 3})", R"({"t": "q"})"}) {
    EXPECT_TRUE(a.accepts(text)) << text;
  }
  EXPECT_FALSE(a.accepts("1"));  // is listed, but its type is not
  EXPECT_FALSE(a.accepts(R"({"t": "p"})"));
}

TEST(Schema, RefusesWhatItCannotPromiseAndSaysWhere) {
  const std::vector<std::pair<const char*, const char*>> cases{
      {R"({"properties": {"a/b": {"type": "string", "contentEncoding": "base64"}}})",
       "/properties/a~1b/contentEncoding: found an unsupported keyword"},
      {R"({"type": "array", "items": {"uniqueItems": true}})", "/items/uniqueItems"},
      {R"({"type": "integer", "multipleOf": 3})", "/multipleOf"},
      {R"({"type": "object", "patternProperties": {}})", "/patternProperties"},
      {R"({"not": {}})", "/not"},
      {R"({"allOf": [{}]})", "/allOf"},
      {R"({"if": {}})", "/if"},
      {R"({"type": "string", "minimum": 1})", "/minimum"},
      {R"({"type": "text"})", "/type: found 'text'"},
      {R"({"type": ["string", 3]})", "/type/1"},
      {R"({"type": "string", "format": "ipv4"})", "/format: found 'ipv4'"},
      {R"({"type": "string", "pattern": "a\\b"})", "/pattern"},
      {R"({"type": "string", "maxLength": 65})", "/maxLength: found 65"},
      {R"({"type": "string", "minLength": -1})", "/minLength"},
      {R"({"type": "string", "minLength": 1.5})", "/minLength"},
      {R"({"type": "string", "minLength": 5, "maxLength": 4})", "/maxLength"},
      {R"({"type": "array", "maxItems": 17})", "/maxItems"},
      {R"({"type": "number", "minimum": 0.5})", "/minimum"},
      {R"({"type": "integer", "minimum": 1e20})", "/minimum"},
      {R"({"type": "integer", "minimum": 3, "maximum": 2})", "no integer between"},
      {R"({"type": "object", "additionalProperties": {}})", "/additionalProperties"},
      {R"({"properties": {"a": {}}, "required": ["b"]})", "/required/0: found 'b'"},
      {R"({"properties": {"a": {}}, "required": "a"})", "/required"},
      {R"({"properties": []})", "/properties"},
      {R"({"enum": []})", "/enum"},
      {R"({"enum": [1], "type": "string"})", "/enum"},
      {R"({"const": 1, "minimum": 0})", "/minimum: found a keyword beside 'const'"},
      {R"({"anyOf": [{"const": 1}], "type": "integer"})", "/type: found a keyword beside 'anyOf'"},
      {R"({"anyOf": []})", "/anyOf"},
      {R"({"anyOf": [{"const": 1}, false]})", "/anyOf/1: found false"},
      {R"({"oneOf": [{"type": "integer"}, {"type": "number"}]})", "/oneOf/1: found an alternative"},
      {R"({"oneOf": [{"enum": [1, 2]}, {"enum": [2.0]}]})", "/oneOf/1"},
      {R"({"$ref": "#/$defs/none"})", "/$ref: found '#/$defs/none'"},
      {R"({"$ref": "other.json"})", "/$ref"},
      {R"({"$ref": "#"})", "/$ref: found a cycle"},
      {R"({"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"})",
       "/$defs/a/items/$ref: found a cycle"},
      {R"([1])", "found array"},
      {"\"a string\"", "found string"},
      {R"({"items": 3})", "/items: found number"}};
  for (const auto& [schema, part] : cases) {
    const std::string error = error_of(ordered_json::parse(schema));
    EXPECT_THAT(error, HasSubstr(part)) << schema;
    EXPECT_THAT(error, StartsWith("[schema] /")) << schema;
    EXPECT_THAT(error, HasSubstr(", expected ")) << schema;
  }
}

TEST(Schema, LimitsItsOwnWork) {
  ordered_json members{{"enum", ordered_json::array()}};
  for (int n = 0; n < 10'000; ++n) members["enum"].push_back(fmt::format("member {}", n));
  EXPECT_THAT(error_of(members), HasSubstr("/enum: found 10000 values, expected at most 1000"));

  ordered_json deep{{"type", "integer"}};
  for (int n = 0; n < 17; ++n) deep = {{"type", "array"}, {"items", deep}};
  EXPECT_THAT(error_of(deep), HasSubstr("levels"));

  ordered_json doubling{{"$defs", {{"d0", {{"type", "integer"}}}}}, {"$ref", "#/$defs/d5"}};
  for (int n = 1; n <= 5; ++n) {
    const ordered_json before{{"$ref", fmt::format("#/$defs/d{}", n - 1)}};
    ordered_json all = ordered_json::array();
    for (int i = 0; i < 16; ++i) all.push_back(before);
    doubling["$defs"][fmt::format("d{}", n)] = {{"prefixItems", all}};
  }
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(error_of(doubling), HasSubstr("too many schemas"));
  ordered_json wide{{"type", "object"}, {"properties", ordered_json::object()}};
  for (int n = 0; n < 128; ++n) {
    wide["properties"][fmt::format("key {}", n)] = {{"type", "string"}, {"maxLength", 64}};
  }
  EXPECT_THAT(error_of(wide), HasSubstr("states"));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  EXPECT_LT(seconds.count(), 5);  // 0.5 s on an idle machine
}

TEST(Schema, JsonObjectIsAnyObjectToFourLevels) {
  const Automaton a = compile_json_object();
  EXPECT_TRUE(a.accepts(R"({})"));
  EXPECT_TRUE(a.accepts(R"({"a": [1, {"b": "c"}, []], "d": {"e": {"f": {}}}, "g": -0.5e3})"));
  EXPECT_FALSE(a.accepts("[]"));
  EXPECT_FALSE(a.accepts(R"({"a": {"b": {"c": {"d": {}}}}})"));
  EXPECT_FALSE(a.accepts(R"({"a": 1,})"));
  std::mt19937_64 random(9);
  for (int n = 0; n < 100; ++n) {
    const std::string text = testing::random_text(a, 200, random);
    EXPECT_TRUE(ordered_json::parse(text).is_object()) << text;
  }
}

TEST(Schema, ToolCallsNameOneToolAndItsArguments) {
  const auto city = ordered_json::parse(
      R"({"type": "object", "properties": {"city": {"$ref": "#/$defs/c"}}, "required": ["city"],
          "$defs": {"c": {"type": "string"}}})");
  const Automaton a =
      compile_tool_calls(std::vector<ToolSchema>{{"now", nullptr}, {"rain", &city}});
  EXPECT_TRUE(a.accepts(R"({"name": "now", "arguments": {}})"));
  EXPECT_TRUE(a.accepts(R"({"name": "rain", "arguments": {"city": "Ulm"}})"));
  EXPECT_FALSE(a.accepts(R"({"name": "now", "arguments": {"city": "Ulm"}})"));
  const auto bad = ordered_json::parse(R"({"properties": {"x": {"$ref": "#/nowhere"}}})");
  try {
    compile_tool_calls(std::vector<ToolSchema>{{"now", nullptr}, {"bad", &bad}});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("/tools/1/function/parameters/properties/x/$ref: found '#/nowhere'"));
  }
}

}  // namespace
}  // namespace unmask
