#include "constrain/token_automaton.h"

#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>

#include "constrain/automaton_walk.h"
#include "constrain/random_schema.h"
#include "constrain/schema.h"
#include "core/error.h"
#include "io/text/tokenizer.h"

namespace unmask {
namespace {

using nlohmann::ordered_json;

/// The state after `token`, byte by byte.
int walk(const Automaton& automaton, int state, const std::string& token) {
  if (token.empty()) return Automaton::kNone;
  for (const char c : token) {
    if (state != Automaton::kNone) state = automaton.next(state, static_cast<uint8_t>(c));
  }
  return state;
}

/// Every state and token moves as its bytes do, end tokens end, and tokens share a class exactly
/// when they move alike.
void check_lift(const Automaton& automaton, const std::vector<std::string>& bytes, TokenId end) {
  const TokenAutomaton lifted(automaton, VocabularyTrie(bytes, {end}));
  ASSERT_EQ(lifted.n_states(), automaton.size() + 1);
  std::map<std::vector<int>, int> class_of_moves;
  for (TokenId token = 0; token < lifted.n_tokens(); ++token) {
    std::vector<int> moves;
    for (int q = 0; q < automaton.size(); ++q) {
      const int expected = token == end
                               ? (automaton.accepting(q) ? lifted.end_state() : Automaton::kNone)
                               : walk(automaton, q, bytes[static_cast<size_t>(token)]);
      ASSERT_EQ(lifted.next(q, token), expected) << q << ' ' << token;
      moves.push_back(expected);
    }
    const int at_end = lifted.next(lifted.end_state(), token);
    ASSERT_EQ(at_end, token == end ? lifted.end_state() : Automaton::kNone);
    moves.push_back(at_end);
    const int c = lifted.classes()[static_cast<size_t>(token)];
    const auto [entry, is_new] = class_of_moves.emplace(moves, c);
    ASSERT_EQ(entry->second, c);
    ASSERT_EQ(is_new, lifted.first_tokens()[static_cast<size_t>(c)] == token);
  }
  ASSERT_EQ(static_cast<int>(class_of_moves.size()), lifted.n_classes());
}

TEST(TokenAutomaton, MovesTokensAsTheirBytesDo) {
  const std::vector<std::string> bytes = testing::small_vocabulary(150);
  const auto end = static_cast<TokenId>(bytes.size()) - 2;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const ordered_json schema = testing::RandomSchema(seed).make();
    SCOPED_TRACE(schema.dump());
    check_lift(compile_schema(schema), bytes, end);
    if (HasFatalFailure()) return;
  }
  // Free strings, counted ones, and those whose characters matter.
  for (const char* schema :
       {R"({"type": "string"})", R"({"type": "string", "minLength": 2, "maxLength": 9})",
        R"({"anyOf": [{"const": "tea"}, {"type": "string", "minLength": 3}]})",
        R"({"pattern": "^[a-n]*$"})", R"({"pattern": "t.*5"})"}) {
    check_lift(compile_schema(ordered_json::parse(schema)), bytes, end);
  }
}

TEST(TokenAutomaton, CountsTheFewestTokens) {
  const std::vector<std::string> bytes{"a", "b", "ab", "abab", "b\"", "\"", "\"a", "", "x"};
  const VocabularyTrie vocabulary(bytes, {7, 8});
  const auto distance = [&](const char* schema) {
    const TokenAutomaton lifted(compile_schema(ordered_json::parse(schema)), vocabulary);
    return lifted.distance(TokenAutomaton::start());
  };
  EXPECT_EQ(distance(R"({"const": "ababab"})"), 4);  // " abab a b"  or  "a b abab "
  EXPECT_EQ(distance(R"({"const": "aab"})"), 3);     // "a a b"
  EXPECT_EQ(distance(R"({"type": "string"})"), 2);
  EXPECT_THROW(distance(R"({"const": "axb"})"), Error);  // x is an end token here
  EXPECT_THROW(distance(R"({"type": "integer"})"), Error);
}

TEST(TokenAutomaton, RefusesLiftsThatTakeTooLong) {
  const std::vector<std::string> bytes = testing::small_vocabulary(60'000);
  const VocabularyTrie vocabulary(bytes, {static_cast<TokenId>(bytes.size()) - 1});
  ordered_json schema{{"properties", ordered_json::object()}};
  for (int n = 0; n < 40; ++n) {
    schema["properties"][std::to_string(n)] = {{"pattern", "^[a-u0-9 ]{0,64}$"}};
  }
  const Automaton automaton = compile_schema(schema);
  EXPECT_THROW(TokenAutomaton(automaton, vocabulary), Error);
}

TEST(TokenAutomaton, LiftsToTheTokensOfAModel) {
  const Tokenizer tokenizer = Tokenizer::load(UNMASK_DEMO_DIRECTORY);
  std::vector<std::string> bytes;
  std::vector<TokenId> ends;
  for (TokenId id = 0; id <= tokenizer.max_id(); ++id) {
    bytes.push_back(tokenizer.is_special(id) ? "" : tokenizer.token_bytes(id));
    if (tokenizer.is_special(id)) ends.push_back(id);
  }
  ASSERT_FALSE(ends.empty());
  const VocabularyTrie vocabulary(bytes, ends);
  const auto schema = ordered_json::parse(
      R"({"properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
          "required": ["name", "age"]})");
  const TokenAutomaton lifted(compile_schema(schema), vocabulary);
  int state = TokenAutomaton::start();
  const std::vector<TokenId> ids = tokenizer.encode(R"({"name": "Ada", "age": 36})");
  EXPECT_LE(lifted.distance(state), static_cast<int>(ids.size()));
  for (const TokenId id : ids) {
    state = lifted.next(state, id);
    ASSERT_NE(state, Automaton::kNone);
  }
  EXPECT_EQ(lifted.distance(state), 0);
  EXPECT_EQ(lifted.next(state, ends[0]), lifted.end_state());
}

}  // namespace
}  // namespace unmask
