// Whatever a schema or a pattern holds, compiling it may only succeed or throw Error.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <random>
#include <regex>

#include "constrain/automaton.h"
#include "constrain/random_schema.h"
#include "constrain/regex.h"
#include "constrain/schema.h"
#include "core/error.h"

namespace unmask {
namespace {

using nlohmann::ordered_json;

struct Counts {
  int compiled = 0;
  int refused = 0;
};

void attempt(const ordered_json& schema, Counts& counts) {
  try {
    EXPECT_GT(compile_schema(schema).size(), 0);
    ++counts.compiled;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::schema) << error.what();
    EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos) << error.what();
    ++counts.refused;
  }
}

TEST(SchemaFuzz, DamagedTextsCompileOrAreRefused) {
  std::mt19937_64 random(1);
  Counts counts;
  for (int n = 0; n < 4000; ++n) {
    std::string text = testing::RandomSchema(random() % 200).make().dump();
    for (uint64_t damage = 1 + random() % 3; damage > 0; --damage) {
      const size_t at = random() % text.size();
      switch (random() % 3) {
        case 0: text[at] = static_cast<char>(random() & 0xffU); break;
        case 1: text.erase(at, 1 + random() % 4); break;
        default: text.insert(at, text.substr(random() % text.size(), random() % 12)); break;
      }
    }
    const auto schema = ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!schema.is_discarded()) attempt(schema, counts);
  }
  EXPECT_GT(counts.compiled, 100);
  EXPECT_GT(counts.refused, 100);
}

/// Every place of the schema, as a pointer.
void collect(const ordered_json& value, const ordered_json::json_pointer& at,
             std::vector<ordered_json::json_pointer>& out) {
  out.push_back(at);
  if (value.is_object()) {
    for (const auto& [key, member] : value.items()) collect(member, at / key, out);
  } else if (value.is_array()) {
    for (size_t i = 0; i < value.size(); ++i) collect(value[i], at / i, out);
  }
}

TEST(SchemaFuzz, ExchangedValuesCompileOrAreRefused) {
  const std::vector<ordered_json> values{nullptr,
                                         true,
                                         false,
                                         0,
                                         -1,
                                         3,
                                         1e300,
                                         -9223372036854775807,
                                         18446744073709551615U,
                                         0.5,
                                         "",
                                         "string",
                                         "#/$defs/leaf",
                                         "#",
                                         "\xff",
                                         "(a+)+$",
                                         ordered_json::array(),
                                         ordered_json::object(),
                                         ordered_json{{"type", "object"}},
                                         ordered_json{1, "a", nullptr}};
  const std::vector<std::string> keys{"type",     "$ref",  "enum",      "const",   "items",
                                      "required", "anyOf", "oneOf",     "pattern", "minimum",
                                      "maxItems", "$defs", "minLength", "format",  "properties"};
  std::mt19937_64 random(2);
  Counts counts;
  for (int n = 0; n < 4000; ++n) {
    ordered_json schema = testing::RandomSchema(random() % 200).make();
    for (uint64_t changes = 1 + random() % 3; changes > 0; --changes) {
      std::vector<ordered_json::json_pointer> places;
      collect(schema, ordered_json::json_pointer(), places);
      ordered_json& place = schema[places[random() % places.size()]];
      const ordered_json& value = values[random() % values.size()];
      if (place.is_object() && random() % 2 == 0) {
        place[keys[random() % keys.size()]] = value;
      } else {
        place = value;
      }
    }
    attempt(schema, counts);
  }
  EXPECT_GT(counts.compiled, 100);
  EXPECT_GT(counts.refused, 100);
}

std::string random_bytes(std::string_view alphabet, size_t most, std::mt19937_64& random) {
  std::string text;
  for (size_t n = random() % (most + 1); n > 0; --n) text += alphabet[random() % alphabet.size()];
  return text;
}

TEST(SchemaFuzz, RandomPatternsMatchWhatTheLibraryMatches) {
  std::mt19937_64 random(3);
  int compared = 0;
  for (int n = 0; n < 6000; ++n) {
    const std::string pattern = random_bytes("ab01^$.|()[]-*+?{},2\\dw:", 9, random);
    Expressions expressions;
    try {
      const Automaton automaton = Automaton::compile(
          expressions, pattern_expression(expressions, pattern, "[test]"), "[test]");
      const std::regex library(pattern);
      for (int i = 0; i < 10; ++i) {
        const std::string text = random_bytes("ab012-d{},", 6, random);
        ++compared;
        ASSERT_EQ(automaton.accepts(text), std::regex_search(text, library))
            << pattern << " on " << text;
      }
    } catch (const Error&) {
      continue;  // refused
    } catch (const std::regex_error&) {
      continue;  // a pattern that only we understand
    }
  }
  EXPECT_GT(compared, 5000);
}

TEST(SchemaFuzz, RandomBytesAreNoPatternOrOne) {
  std::mt19937_64 random(4);
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  for (int n = 0; n < 20'000; ++n) {
    const std::string pattern = random_bytes(all, 12, random);
    Expressions expressions;
    try {
      pattern_expression(expressions, pattern, "[test]");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::schema);
    }
  }
}

}  // namespace
}  // namespace unmask
