#include "session/decisions/decide.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <numeric>

#include "core/error.h"
#include "generate/single_pass.h"
#include "io/text/byte_alphabet.h"
#include "io/text/tokenizer_spec.h"
#include "methods/full.h"
#include "support/model_fixture.h"

namespace unmask {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr TokenId kYes = 262, kNo = 263, kLowerNo = 264, kEot = 261;

/// The tiny checkpoint with a tokenizer of bytes, LLaDA's markers and a few words.
class DecideTest : public ::testing::Test {
 protected:
  static Tokenizer tokenizer() {
    TokenizerSpec spec{.origin = "test", .patterns = {R"([\s\S]+)"}};
    for (int byte = 0; byte < 256; ++byte) {
      spec.vocab.emplace_back(byte_to_alphabet(static_cast<uint8_t>(byte)), byte);
    }
    TokenId id = 258;
    for (const char* marker :
         {"<|startoftext|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}) {
      spec.added.push_back({.id = id++, .text = marker, .special = true});
    }
    for (const char* word : {"Yes", " No", "no"}) spec.added.push_back({.id = id++, .text = word});
    return Tokenizer::build(spec);
  }

  testing::LoadedModel model_{std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny",
                              testing::make_backend("reference")};
  ModelFiles files_{model_.config, tokenizer()};
  Decider decider_{files_, "llada"};

  std::vector<Verdict> ask(const std::vector<Question>& questions,
                           const DecideOptions& options = {}, int max_rows = 100'000) {
    Deliberation work = decider_.ask("The sky is blue.", questions, options);
    while (work.step(model_.transformer, max_rows)) {
    }
    return work.verdicts();
  }

  std::vector<TokenId> prompt(const std::string& text) const {
    const std::vector<ChatMessage> messages{{"user", "The sky is blue.\n\n" + text}};
    return files_.tokenizer().encode(ChatTemplate::built_in("llada").render(messages));
  }

  /// Probabilities of all tokens behind `prompt`, by softmax over the logits of a pass.
  std::vector<double> softmax(std::vector<TokenId> tokens, const std::vector<TokenId>& behind) {
    const auto position = static_cast<int>(tokens.size());
    tokens.push_back(model_.config.mask_id);
    tokens.insert(tokens.end(), behind.begin(), behind.end());
    Full method;
    SinglePass pass(model_.config, method, tokens, {0, static_cast<int>(tokens.size())});
    const std::vector<int> wanted{position};
    std::vector<SequencePass> batch{pass.slice(wanted)};
    const Tensor hidden = model_.transformer.forward(batch);
    const int vocab = model_.config.vocab_size;
    const Buffer memory = model_.backend->allocate(dense_bytes(1, vocab, DType::f32));
    model_.transformer.logits(hidden, memory.view(1, vocab));
    std::vector<float> logits(static_cast<size_t>(vocab));
    model_.backend->download(memory.view(1, vocab), logits.data());
    double sum = 0;
    std::vector<double> p;
    for (const float x : logits) sum += p.emplace_back(std::exp(static_cast<double>(x)));
    for (double& x : p) x /= sum;
    return p;
  }

  const std::vector<TokenId> behind_{kEot, kEot, kEot};
  const Question choice_{
      QuestionType::choice, "Which?", {{"red", "as a rose"}, {"blue"}, {"red hot"}}};
  const Question score_{QuestionType::score, "How much?", {{"none"}, {"some"}, {"all"}}};
  const Question predicate_ = make_predicate("Is it?");
};

TEST_F(DecideTest, APredicateSumsTheTokensThatSayYesAndNo) {
  const std::vector<double> p = softmax(prompt("Is it?\nAnswer Yes or No."), behind_);
  const Verdict verdict = ask({predicate_})[0];
  const double yes = p[kYes];
  const double no = p[kNo] + p[kLowerNo];
  EXPECT_NEAR(std::exp(verdict.log_shares[0]), yes / (yes + no), 1e-6);
  EXPECT_NEAR(std::exp(verdict.log_shares[1]), no / (yes + no), 1e-6);
  EXPECT_NEAR(verdict.label_mass, yes + no, 1e-6);
}

TEST_F(DecideTest, AChoiceReadsTheLettersOfItsOptions) {
  const std::vector<double> p = softmax(
      prompt("Which?\nA) red: as a rose\nB) blue\nC) red hot\nAnswer with the letter of one option "
             "only."),
      behind_);
  const double sum = p['A'] + p['B'] + p['C'];
  const Verdict verdict = ask({choice_})[0];
  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(std::exp(verdict.log_shares[static_cast<size_t>(i)]),
                p[static_cast<size_t>('A' + i)] / sum, 1e-6);
  }
  EXPECT_NEAR(verdict.label_mass, sum, 1e-6);
}

TEST_F(DecideTest, OrdersOfTheOptionsAreAveragedGeometrically) {
  const std::string end = "Answer with the letter of one option only.";
  const std::vector<double> p =
      softmax(prompt("Which?\nA) red: as a rose\nB) blue\nC) red hot\n" + end), behind_);
  const std::vector<double> q =
      softmax(prompt("Which?\nA) blue\nB) red hot\nC) red: as a rose\n" + end), behind_);
  const std::vector<double> means{std::sqrt(p['A'] * q['C']), std::sqrt(p['B'] * q['A']),
                                  std::sqrt(p['C'] * q['B'])};
  const double sum = std::accumulate(means.begin(), means.end(), 0.0);
  const Verdict verdict = ask({choice_}, {.permutations = 2})[0];
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(std::exp(verdict.log_shares[i]), means[i] / sum, 1e-6);
}

TEST_F(DecideTest, TheDigitsOfAScoreStayWithTheirLevels) {
  const std::vector<double> p = softmax(
      prompt("How much?\n1) some\n2) all\n0) none\nAnswer with the digit of one level only."),
      behind_);
  const std::vector<double> q = softmax(
      prompt("How much?\n0) none\n1) some\n2) all\nAnswer with the digit of one level only."),
      behind_);
  std::vector<double> means;
  for (const int digit : {'0', '1', '2'}) {
    means.push_back(std::sqrt(p[static_cast<size_t>(digit)] * q[static_cast<size_t>(digit)]));
  }
  const double sum = means[0] + means[1] + means[2];
  const Verdict verdict = ask({score_}, {.permutations = 2})[0];
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(std::exp(verdict.log_shares[i]), means[i] / sum, 1e-6);
}

TEST_F(DecideTest, WordsAreReadWhereTheirTokensPart) {
  const std::vector<TokenId> start = prompt(
      "Which?\n- red: as a rose\n- blue\n- red hot\nAnswer with one of these, word for word.");
  const auto masks = [&](size_t count) {
    return std::vector<TokenId>(count, model_.config.mask_id);
  };
  // The longest answer has seven bytes and the end of the turn.
  const std::vector<double> first = softmax(start, masks(7));
  std::vector<TokenId> red = start;
  for (const char c : {'r', 'e', 'd'}) red.push_back(c);
  const std::vector<double> second = softmax(red, masks(4));
  const double b = first['b'] / (first['b'] + first['r']);
  const double hot = second[' '] / (second[' '] + second[kEot]);
  const Verdict verdict = ask({choice_}, {.text_labels = true})[0];
  EXPECT_NEAR(std::exp(verdict.log_shares[0]), (1 - b) * (1 - hot), 1e-6);
  EXPECT_NEAR(std::exp(verdict.log_shares[1]), b, 1e-6);
  EXPECT_NEAR(std::exp(verdict.log_shares[2]), (1 - b) * hot, 1e-6);
  EXPECT_NEAR(verdict.label_mass, first['b'] + first['r'], 1e-6);
}

TEST_F(DecideTest, AnswersComeInOrderAndDoNotDependOnTheirNeighboursOrTheRowsOfAPass) {
  const std::vector<Question> all{choice_, predicate_, score_};
  const std::vector<Verdict> together = ask(all);
  const std::vector<Verdict> one_by_one = ask(all, {}, 1);
  ASSERT_EQ(together.size(), 3U);
  for (size_t i = 0; i < 3; ++i) {
    const Verdict alone = ask({all[i]})[0];
    EXPECT_EQ(together[i].log_shares, alone.log_shares) << i;
    EXPECT_EQ(one_by_one[i].log_shares, alone.log_shares) << i;
    EXPECT_EQ(together[i].label_mass, alone.label_mass) << i;
  }
}

TEST_F(DecideTest, CountsPassesAndRows) {
  Deliberation work = decider_.ask("", std::vector{predicate_, predicate_}, {});
  const auto canvas = work.rows() / 2;
  EXPECT_EQ(work.prompt_tokens(), 2 * (canvas - 4));
  EXPECT_TRUE(work.step(model_.transformer, static_cast<int>(canvas)));
  EXPECT_FALSE(work.step(model_.transformer, static_cast<int>(canvas)));
  EXPECT_EQ(work.passes(), 2);
}

TEST_F(DecideTest, RefusesWhatCannotBeAsked) {
  const auto refused = [this](const Question& question, const char* why,
                              DecideOptions options = {}) {
    EXPECT_THAT([&] { decider_.ask("", std::vector{question}, options); },
                ThrowsMessage<Error>(HasSubstr(why)));
  };
  refused({QuestionType::choice, "Which?", {{"one"}}}, "expected 2 to 62");
  refused({QuestionType::choice, "Which?", {256, AnswerOption{"x"}}}, "expected 2 to 62");
  refused({QuestionType::score, "Which?", {11, AnswerOption{"x"}}}, "expected 2 to 10");
  refused({QuestionType::choice, "Which?", {{"a"}, {"a"}}}, "same", {.text_labels = true});
  refused(predicate_, "expected at most 20", {.context = 20});
  EXPECT_THROW(decider_.ask("", {}, {}), Error);
  EXPECT_THAT([&] { decider_.ask(std::string(1 << 20, 'x'), std::vector(5, predicate_), {}); },
              ThrowsMessage<Error>(HasSubstr("tokens together")));
}

TEST_F(DecideTest, AWordThatLooksLikeAMarkerIsText) {
  Deliberation work = decider_.ask("<|eot_id|>", std::vector{predicate_}, {});
  Deliberation plain = decider_.ask("xxxxxxxxxx", std::vector{predicate_}, {});
  EXPECT_EQ(work.prompt_tokens(), plain.prompt_tokens());
}

}  // namespace
}  // namespace unmask
