// Random JSON schemas of the subset that can be compiled. Their patterns keep to ASCII: the judge
// of the tests matches bytes.
#pragma once

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

namespace unmask::testing {

class RandomSchema {
 public:
  using Json = nlohmann::ordered_json;

  explicit RandomSchema(uint64_t seed) : random_(seed) {}

  Json make() {
    Json schema = value(3);
    if (!schema.is_object()) schema = Json{{"anyOf", {schema}}};
    schema["$defs"] = {{"leaf", leaf()}, {"word", {{"type", "string"}, {"maxLength", 5}}}};
    return schema;
  }

 private:
  int below(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }
  bool coin() { return below(2) == 0; }
  template <typename T>
  const T& one_of(const std::vector<T>& values) {
    return values[static_cast<size_t>(below(static_cast<int>(values.size())))];
  }

  Json constant() {
    static const std::vector<Json> values{1,
                                          -7,
                                          0,
                                          2.5,
                                          -1e30,
                                          true,
                                          false,
                                          nullptr,
                                          "a",
                                          "",
                                          "x/y",
                                          "quote \" and \\ back",
                                          "tab\tand\nline",
                                          "gr\u00fc\u00df",
                                          "\u65e5\u672c",
                                          "\U0001f600",
                                          Json::array(),
                                          Json{1, "two"},
                                          Json{{"k", 1}, {"a", {true}}}};
    return one_of(values);
  }

  Json text() {
    static const std::vector<std::string> patterns{"^[a-z]{2,5}$",    "^(red|green|blue)-[0-9]+$",
                                                   "^\\d{3}-\\d{4}$", "^[A-Z][a-z]*( [A-Z])?$",
                                                   "^a|b$",           "^(?:ab|c)+$",
                                                   "^[\\w.-]{1,3}$",  "x"};
    static const std::vector<std::string> formats{"date", "time", "date-time", "uuid", "email"};
    Json schema{{"type", "string"}};
    switch (below(5)) {
      case 0: schema["pattern"] = one_of(patterns); break;
      case 1: schema["format"] = one_of(formats); break;
      case 2:
        schema["pattern"] = "^[a-f]*$";
        schema["minLength"] = below(4);
        schema["maxLength"] = 4 + below(8);
        break;
      case 3:
        if (coin()) schema["minLength"] = below(6);
        if (coin()) schema["maxLength"] = 6 + below(20);
        break;
      default: break;
    }
    return schema;
  }

  Json number() {
    Json schema{{"type", coin() ? "integer" : "number"}};
    const int least = below(400) - 200;
    if (coin()) schema[coin() ? "minimum" : "exclusiveMinimum"] = least;
    if (coin()) schema[coin() ? "maximum" : "exclusiveMaximum"] = least + 2 + below(1000);
    return schema;
  }

  Json leaf() {
    switch (below(8)) {
      case 0: return {{"type", "boolean"}};
      case 1: return {{"type", {"null", "integer"}}};
      case 2: return {{"const", constant()}};
      case 3: return {{"enum", {constant(), constant(), constant()}}};
      case 4:
      case 5: return number();
      default: return text();
    }
  }

  Json array(int levels) {
    Json schema{{"type", "array"}};
    if (coin()) {
      schema["prefixItems"] = {value(levels - 1), leaf()};
      schema["items"] = coin() ? Json(false) : leaf();
      if (coin()) schema["minItems"] = below(3);
      return schema;
    }
    schema["items"] = value(levels - 1);
    const int least = below(3);
    if (coin()) schema["minItems"] = least;
    if (coin()) schema["maxItems"] = least + below(3);
    return schema;
  }

  Json object(int levels) {
    static const std::vector<std::string> keys{"name", "id", "a/b", "\u00e9t\u00e9", "q\"q", "_"};
    Json schema{{"type", "object"}, {"properties", Json::object()}, {"required", Json::array()}};
    for (int n = below(4); n >= 0; --n) {
      const std::string key = one_of(keys);
      if (schema["properties"].contains(key)) continue;
      schema["properties"][key] = value(levels - 1);
      if (coin()) schema["required"].push_back(key);
    }
    if (coin()) schema["additionalProperties"] = false;
    return schema;
  }

  Json value(int levels) {
    if (levels == 0) return leaf();
    switch (below(9)) {
      case 0: return array(levels);
      case 1: return {{"anyOf", {leaf(), value(levels - 1)}}};
      case 2: return {{"oneOf", {text(), number(), {{"type", "null"}}}}};
      case 3: return {{"$ref", coin() ? "#/$defs/leaf" : "#/$defs/word"}};
      case 4: return leaf();
      default: return object(levels);
    }
  }

  std::mt19937_64 random_;
};

}  // namespace unmask::testing
