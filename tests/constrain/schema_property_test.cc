// Random schemas: what their automata accept satisfies them, as another implementation judges.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <numeric>

#include "constrain/automaton_walk.h"
#include "constrain/random_schema.h"
#include "constrain/schema.h"
#include "constrain/witness.h"
#include "core/error.h"
#include "support/schema_judge.h"

namespace unmask {
namespace {

using nlohmann::ordered_json;
using testing::draft_7;
using testing::Judge;
using testing::RandomSchema;

TEST(SchemaProperty, WhatAnAutomatonAcceptsSatisfiesItsSchema) {
  std::mt19937_64 random(1);
  for (uint64_t seed = 0; seed < 500; ++seed) {
    const ordered_json schema = RandomSchema(seed).make();
    const Automaton automaton = compile_schema(schema);
    Judge judge(draft_7(schema));
    for (const int free : {0, 3, 30, 100}) {
      const std::string text = testing::random_text(automaton, free, random);
      ASSERT_TRUE(automaton.accepts(text));
      ASSERT_EQ(judge.objections(text), "") << schema.dump() << '\n' << text;
    }
  }
}

TEST(SchemaProperty, FormatsAreWhatTheJudgeTakesThemFor) {
  std::mt19937_64 random(3);
  for (const char* format : {"date", "time", "date-time"}) {
    const ordered_json schema{{"type", "string"}, {"format", format}};
    const Automaton automaton = compile_schema(schema);
    Judge judge(schema);
    EXPECT_NE(judge.objections("\"2023-02-31T25:00:00Z\""), "");
    for (int n = 0; n < 200; ++n) {
      const std::string text = testing::random_text(automaton, 40, random);
      ASSERT_EQ(judge.objections(text), "") << text;
    }
  }
}

/// Denoises a canvas with random logits, which know nothing of JSON.
class Canvas {
 public:
  static constexpr TokenId kMask = -1;

  Canvas(std::shared_ptr<const TokenAutomaton> automaton, int length, uint64_t seed)
      : witness_(std::move(automaton), length),
        tokens_(static_cast<size_t>(length), kMask),
        random_(seed) {
    std::normal_distribution<float> normal(0, 3);
    noise_.resize(static_cast<size_t>(witness_.automaton().n_tokens()) + 4096);
    for (float& x : noise_) x = normal(random_);
  }

  const std::vector<TokenId>& run(int block_length, int most_per_step) {
    const auto length = static_cast<int>(tokens_.size());
    for (int begin = 0; begin < length; begin += block_length) {
      const int end = std::min(length, begin + block_length);
      const std::span<TokenId> block =
          std::span(tokens_).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
      while (step(block, length - end, most_per_step)) {
      }
      witness_.advance(block);
    }
    return tokens_;
  }

 private:
  bool step(std::span<TokenId> block, int behind, int most_per_step) {
    std::vector<size_t> open;
    for (size_t i = 0; i < block.size(); ++i) {
      if (block[i] == kMask) open.push_back(i);
    }
    if (open.empty()) return false;
    std::vector<ClassMaxima> maxima(open.size());
    for (ClassMaxima& m : maxima) {
      if (random_() % 8 == 0) continue;  // a position whose row was not computed
      class_maxima(std::span(noise_).subspan(random_() % 4096), witness_.automaton(), m);
    }
    const WitnessPath path = witness_.search({block, kMask, behind}, maxima);
    std::vector<size_t> order(open.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::shuffle(order.begin(), order.end(), random_);
    order.resize(std::min(order.size(), 1 + random_() % static_cast<uint64_t>(most_per_step)));
    for (const size_t i : order) block[open[i]] = path.open[i].token;
    return true;
  }

  Witness witness_;
  std::vector<TokenId> tokens_;
  std::mt19937_64 random_;
  std::vector<float> noise_;
};

/// Text of a canvas whose end tokens stand at its end only.
std::string text_of(const std::vector<TokenId>& tokens, const std::vector<std::string>& bytes,
                    TokenId end) {
  std::string text;
  bool ended = false;
  for (const TokenId token : tokens) {
    EXPECT_TRUE(!ended || token == end);
    ended = ended || token == end;
    if (!ended) text += bytes[static_cast<size_t>(token)];
  }
  return text;
}

TEST(SchemaProperty, EveryCanvasBecomesADocumentInAnyOrderOfDecisions) {
  const std::vector<std::string> bytes = testing::small_vocabulary(700);
  const auto end = static_cast<TokenId>(bytes.size()) - 2;
  const VocabularyTrie vocabulary(bytes, {end});
  std::mt19937_64 random(2);
  for (uint64_t seed = 1000; seed < 2000; ++seed) {
    const ordered_json schema = RandomSchema(seed).make();
    const auto automaton =
        std::make_shared<const TokenAutomaton>(compile_schema(schema), vocabulary);
    const int shortest = automaton->distance(TokenAutomaton::start());
    const int spare = seed % 3 == 0 ? 0 : static_cast<int>(random() % 24);
    const int length = std::max(1, shortest + spare);
    const int block = 1 + static_cast<int>(random() % 32);
    Canvas canvas(automaton, length, seed);
    const std::string text =
        text_of(canvas.run(block, 1 + static_cast<int>(random() % 16)), bytes, end);
    ASSERT_EQ(Judge(draft_7(schema)).objections(text), "") << schema.dump() << '\n' << text;
  }
}

}  // namespace
}  // namespace unmask
