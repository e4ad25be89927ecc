// Requests with a constraint: a model that knows nothing writes what the schema wants.
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "constrain/automaton_walk.h"
#include "constrain/schema.h"
#include "constrain/token_automaton.h"
#include "core/error.h"
#include "generate/constrained_row.h"
#include "generate/engine.h"
#include "support/method_requests.h"

namespace unmask {
namespace {

using testing::LoadedModel;

constexpr const char* kSchema = R"({
  "type": "object", "additionalProperties": false,
  "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0},
                 "tags": {"type": "array", "items": {"type": "string", "maxLength": 8}}},
  "required": ["name", "age", "tags"]})";

class ConstraintTest : public ::testing::Test {
 protected:
  ConstraintTest() : bytes_(testing::small_vocabulary(100)) {
    end_ = static_cast<TokenId>(bytes_.size()) - 1;
    const VocabularyTrie vocabulary(bytes_, {end_});
    constraint_ = std::make_shared<const TokenAutomaton>(automaton_, vocabulary);
  }

  Request request(const std::string& method, int length, int block, int steps) {
    Request r = testing::method_request(model_, method, 20, length, block, steps);
    r.constraint = constraint_;
    r.eos_ids = {end_};
    r.early_stop = true;
    return r;
  }

  Result run(const Request& r) { return generate(model_.transformer, {&r, 1})[0]; }

  std::string text(const Result& result) const {
    std::string out;
    for (int p = result.answer.begin; p < result.answer.end; ++p) {
      out += bytes_[static_cast<size_t>(result.tokens[static_cast<size_t>(p)])];
    }
    return out;
  }

  std::vector<std::string> bytes_;
  TokenId end_ = 0;
  const Automaton automaton_ = compile_schema(nlohmann::ordered_json::parse(kSchema));
  std::shared_ptr<const TokenAutomaton> constraint_;
  LoadedModel model_{std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny",
                     create_cpu_backend({.threads = 1})};
};

TEST_F(ConstraintTest, EveryMethodWritesADocument) {
  for (const std::string& method : testing::methods_of("llada-tiny")) {
    const Request r = request(method, 40, 20, 10);
    if (method.starts_with("dkv-cache:variant=greedy")) continue;  // wants an order of its own
    const Result result = run(r);
    EXPECT_TRUE(automaton_.accepts(text(result))) << method << ": " << text(result);
    EXPECT_EQ(result.masks_left, 0);
  }
}

TEST_F(ConstraintTest, EverySamplerWritesADocumentDownToTheShortestCanvas) {
  const int shortest = constraint_->distance(TokenAutomaton::start());
  for (const int length : {shortest, shortest + 9}) {
    for (const Algorithm algorithm :
         {Algorithm::low_confidence, Algorithm::random, Algorithm::maskgit_plus,
          Algorithm::topk_margin, Algorithm::entropy, Algorithm::origin}) {
      for (const double temperature : {0.0, 1.0}) {
        Request r = request("full", length, length, (length + 2) / 3);
        r.sampler = {.algorithm = algorithm, .temperature = temperature, .seed = 7};
        const Result result = run(r);
        EXPECT_TRUE(automaton_.accepts(text(result)))
            << algorithm_name(algorithm) << ' ' << length << ' ' << text(result);
      }
    }
  }
  Request r = request("fast-dllm", 64, 16, 64);
  r.sampler.threshold = 0.2;
  const Result once = run(r);
  EXPECT_TRUE(automaton_.accepts(text(once)));
  EXPECT_EQ(run(r).tokens, once.tokens);
}

TEST_F(ConstraintTest, DecidesAtOnceWhatHasNoChoice) {
  const auto fixed = compile_schema({{"const", "a text without any choice"}});
  std::vector<std::string> letters(bytes_.size());
  for (size_t byte = 0; byte < 256; ++byte) letters[byte] = bytes_[byte];
  const VocabularyTrie vocabulary(letters, {end_});
  Request r = request("full", 27, 27, 27);
  r.constraint = std::make_shared<const TokenAutomaton>(fixed, vocabulary);
  const Result result = run(r);
  EXPECT_EQ(text(result), "\"a text without any choice\"");
  EXPECT_EQ(result.forward_passes, 1);
}

TEST_F(ConstraintTest, TemperatureDrawsFromTheModelsDistribution) {
  const std::vector<std::string> bytes{"a", "b", "\"", "c", "1", ""};
  const TokenAutomaton automaton(
      compile_schema({{"anyOf", {{{"type", "string"}}, {{"const", 1}}}}}),
      VocabularyTrie(bytes, {5}));
  const std::vector<float> logits{0.5F, 1.5F, 0.0F, -1.0F, 1.0F, -0.5F};
  TokenQuery query{.temperature = 0.7};
  TokenStats stats{.token = 1, .probability = 0.4F};
  std::vector<int> counts(6);
  constexpr int kDraws = 20'000;
  for (query.step = 0; query.step < kDraws; ++query.step) {
    const ConstrainedRow row = constrained_row(logits, stats, 3, query, automaton);
    const auto& scores = row.best.scores;
    const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
    ++counts[static_cast<size_t>(row.best.tokens[static_cast<size_t>(best)])];
  }
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit / query.temperature);
  for (size_t t = 0; t < logits.size(); ++t) {
    const double expected = std::exp(logits[t] / query.temperature) / sum;
    EXPECT_NEAR(static_cast<double>(counts[t]) / kDraws, expected, 0.015) << t;  // 4 sigma
  }
  query.temperature = 0;
  const ConstrainedRow row = constrained_row(logits, stats, 3, query, automaton);
  for (size_t c = 0; c < row.probabilities.size(); ++c) {
    const double ratio = std::exp(logits[static_cast<size_t>(row.best.tokens[c])] - 1.5);
    EXPECT_NEAR(row.probabilities[c], 0.4 * ratio, 1e-6);
  }
}

TEST_F(ConstraintTest, RefusesWhatItCannotKeep) {
  Request r = request("full", 48, 16, 24);
  EXPECT_NO_THROW(check_request(r, model_.config));
  r.sampler.suppress_eos = true;
  EXPECT_THROW(check_request(r, model_.config), Error);
  r = request("full", 10, 10, 10);
  EXPECT_THROW(check_request(r, model_.config), Error);
  r = request("full", 48, 16, 24);
  r.tokens.back() = 5;
  EXPECT_THROW(check_request(r, model_.config), Error);
}

}  // namespace
}  // namespace unmask
