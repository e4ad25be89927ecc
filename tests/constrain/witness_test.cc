#include "constrain/witness.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "constrain/automaton_walk.h"
#include "constrain/schema.h"
#include "core/error.h"

namespace unmask {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;

constexpr TokenId kMask = -1;
constexpr TokenId kEnd = 9;

/// Ten tokens; the last one ends the text.
const std::vector<std::string> kBytes{"\"", "a", "b", "ab", "a\"", "\"b", "1", "ba", "bb\"", ""};

std::shared_ptr<const TokenAutomaton> lift(std::string_view schema) {
  return std::make_shared<const TokenAutomaton>(compile_schema(ordered_json::parse(schema)),
                                                VocabularyTrie(kBytes, {kEnd}));
}

std::vector<ClassMaxima> reduce(const std::vector<std::vector<float>>& rows,
                                const TokenAutomaton& automaton) {
  std::vector<ClassMaxima> out(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) class_maxima(rows[i], automaton, out[i]);
  return out;
}

/// All fillings of the block's masks with their sums, by trying every token everywhere.
struct Filling {
  std::vector<TokenId> tokens;
  double sum = 0;
  int state = 0;
};

std::vector<Filling> fillings(const TokenAutomaton& automaton, int state,
                              const std::vector<TokenId>& block,
                              const std::vector<std::vector<float>>& rows) {
  std::vector<Filling> all{{{}, 0, state}};
  size_t row = 0;
  for (const TokenId given : block) {
    std::vector<Filling> longer;
    for (const Filling& f : all) {
      for (TokenId token = 0; token < automaton.n_tokens(); ++token) {
        if (given != kMask && given != token) continue;
        const int to = automaton.next(f.state, token);
        if (to == Automaton::kNone) continue;
        Filling next = f;
        next.tokens.push_back(token);
        if (given == kMask) next.sum += rows[row][static_cast<size_t>(token)];
        next.state = to;
        longer.push_back(std::move(next));
      }
    }
    row += given == kMask ? 1 : 0;
    all = std::move(longer);
  }
  return all;
}

TEST(Witness, IsTheBestOfAllFillings) {
  std::mt19937_64 random(11);
  std::normal_distribution<float> normal(0, 2);
  const auto loose = lift(R"({"anyOf": [{"pattern": "^a?(ab|b)*$"}, {"enum": [1, 11]}]})");
  const auto tight = lift(R"({"enum": ["abab", "aab", 1]})");
  int found = 0;
  int forced = 0;
  for (int trial = 0; trial < 600; ++trial) {
    const auto& automaton = trial % 2 == 0 ? loose : tight;
    const int behind = static_cast<int>(random() % 3);
    std::vector<TokenId> block(2 + random() % 4, kMask);
    if (random() % 2 == 0) block[0] = 0;
    if (random() % 3 == 0) block.back() = random() % 2 == 0 ? kEnd : 2;
    std::vector<std::vector<float>> rows(
        static_cast<size_t>(std::count(block.begin(), block.end(), kMask)));
    for (auto& row : rows) {
      for (int t = 0; t < 10; ++t) row.push_back(normal(random));
    }
    std::vector<Filling> all = fillings(*automaton, TokenAutomaton::start(), block, rows);
    const auto better = [](const Filling& a, const Filling& b) { return a.sum < b.sum; };
    const double anywhere = all.empty() ? 0 : std::max_element(all.begin(), all.end(), better)->sum;
    std::erase_if(all, [&](const Filling& f) { return automaton->distance(f.state) > behind; });
    const Witness witness(automaton, 100);
    const WitnessBlock wanted{block, kMask, behind};
    const std::vector<ClassMaxima> maxima = reduce(rows, *automaton);
    if (all.empty()) {
      EXPECT_THROW(witness.search(wanted, maxima), Error);
      continue;
    }
    ++found;
    const Filling& best = *std::max_element(all.begin(), all.end(), better);
    const WitnessPath path = witness.search(wanted, maxima);
    size_t row = 0;
    for (size_t i = 0; i < block.size(); ++i) {
      if (block[i] != kMask) continue;
      const WitnessToken& token = path.open[row];
      EXPECT_EQ(token.token, best.tokens[i]);
      EXPECT_EQ(token.score, rows[row][static_cast<size_t>(token.token)]);
      const bool only = std::all_of(
          all.begin(), all.end(), [&](const Filling& f) { return f.tokens[i] == best.tokens[i]; });
      EXPECT_EQ(token.forced, only);
      forced += only ? 1 : 0;
      ++row;
    }
    const auto end = std::find(best.tokens.begin(), best.tokens.end(), kEnd);
    EXPECT_EQ(path.end.has_value(), end != best.tokens.end());
    EXPECT_EQ(path.end.value_or(static_cast<int>(block.size())), end - best.tokens.begin());
    EXPECT_EQ(path.hurried, anywhere > best.sum + 1e-9);
  }
  EXPECT_GT(found, 200);
  EXPECT_GT(forced, 50);
}

TEST(Witness, EqualScoresTakeTheLowestToken) {
  const auto automaton = lift(R"({"pattern": "^[ab]*$"})");
  const std::vector<std::vector<float>> rows(4, std::vector<float>(10, -1.0F));
  const std::vector<TokenId> block(4, kMask);
  const WitnessPath path =
      Witness(automaton, 4).search({block, kMask, 0}, reduce(rows, *automaton));
  std::vector<TokenId> tokens;
  for (const WitnessToken& token : path.open) tokens.push_back(token.token);
  EXPECT_EQ(tokens, (std::vector<TokenId>{0, 1, 1, 0}));
}

TEST(Witness, TakesWhatAFilterRemovedWhereNothingElseIsPossible) {
  const auto automaton = lift(R"({"const": "ab"})");
  const float none = -std::numeric_limits<float>::infinity();
  const std::vector<std::vector<float>> rows(
      3, {std::nanf(""), none, none, none, none, none, none, none, none, 5});
  const std::vector<TokenId> block(3, kMask);
  const WitnessPath path =
      Witness(automaton, 3).search({block, kMask, 0}, reduce(rows, *automaton));
  EXPECT_EQ(path.open[0].token, 0);
  EXPECT_EQ(path.open[1].token, 3);
  EXPECT_EQ(path.open[2].token, 0);
  EXPECT_TRUE(path.open[0].forced && path.open[1].forced && path.open[2].forced);
}

TEST(Witness, RefusesACanvasThatIsTooShort) {
  const auto automaton = lift(R"({"const": "abab"})");
  EXPECT_NO_THROW(Witness(automaton, 4));
  try {
    const Witness witness(automaton, 3);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::schema);
    EXPECT_THAT(error.what(), HasSubstr("found 3 tokens, expected at least 4"));
  }
}

TEST(Witness, AdvancesOverDecidedBlocks) {
  const auto automaton = lift(R"({"pattern": "^a*$"})");
  Witness witness(automaton, 8);
  const std::vector<TokenId> first{0, 1, 1};
  witness.advance(first);
  const std::vector<TokenId> second{1, kMask, kMask};
  const std::vector<ClassMaxima> unknown(2);  // of no row
  const WitnessPath path = witness.search({second, kMask, 0}, unknown);
  EXPECT_TRUE(path.open[1].token == 0 || path.open[1].token == 4 || path.open[1].token == kEnd);
  const std::vector<TokenId> last{4, kEnd, kEnd};
  witness.advance(last);
  EXPECT_EQ(witness.state(), automaton->end_state());
  const std::vector<TokenId> wrong{1};
  EXPECT_THROW(witness.advance(wrong), Error);
}

TEST(ClassMaxima, AreTheBestTokensOfTheClasses) {
  const std::vector<std::string> bytes = testing::small_vocabulary(500);
  const TokenAutomaton automaton(compile_schema(ordered_json::parse(R"({"type": "object"})")),
                                 VocabularyTrie(bytes, {static_cast<TokenId>(bytes.size()) - 1}));
  std::mt19937_64 random(3);
  std::vector<float> row(bytes.size() + 5);  // rows may be padded
  for (float& x : row) x = static_cast<float>(random() % 20);
  ClassMaxima maxima;
  class_maxima(row, automaton, maxima);
  for (int c = 0; c < automaton.n_classes(); ++c) {
    TokenId best = -1;
    for (TokenId t = 0; t < automaton.n_tokens(); ++t) {
      if (automaton.classes()[static_cast<size_t>(t)] != c) continue;
      if (best < 0 || row[static_cast<size_t>(t)] > row[static_cast<size_t>(best)]) best = t;
    }
    EXPECT_EQ(maxima.tokens[static_cast<size_t>(c)], best);
    EXPECT_EQ(maxima.scores[static_cast<size_t>(c)], row[static_cast<size_t>(best)]);
  }
}

}  // namespace
}  // namespace unmask
