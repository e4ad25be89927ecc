#include "unmask/model.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/demo.h"

namespace unmask {
namespace {

using testing::code_of;
using testing::demo;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::kAnswer;
using testing::kQuestion;
using testing::load_demo;

TEST(ApiModel, AnswersAQuestion) {
  const Result result = demo().generate(kQuestion);
  EXPECT_EQ(result.text, kAnswer);
  EXPECT_EQ(result.finish, Finish::stop);
  EXPECT_EQ(result.masks_left, 0);
  EXPECT_GT(result.answer_tokens, 0);
  EXPECT_GT(result.forward_passes, 0);
  const std::span<const Token> answer =
      std::span(result.tokens)
          .subspan(static_cast<size_t>(result.answer.begin),
                   static_cast<size_t>(result.answer.end - result.answer.begin));
  EXPECT_EQ(demo().decode(answer, true), kAnswer);
}

TEST(ApiModel, TellsWhatItIs) {
  const ModelInfo& info = demo().info();
  EXPECT_EQ(info.name, "demo");
  EXPECT_EQ(info.family, "LLaDA");
  EXPECT_EQ(info.device, "cpu");
  EXPECT_EQ(info.vocab_size, 2048);
  EXPECT_EQ(info.threads, 2);
  EXPECT_GT(info.weight_bytes, info.parameters);
  EXPECT_FALSE(info.stop_ids.empty());
}

TEST(ApiModel, SaysWhyItCannotBeLoaded) {
  EXPECT_EQ(code_of([] { Model("no/such/model"); }, "no/such/model"), ErrorCode::invalid);
  EXPECT_EQ(code_of([] { load_demo({.device = "abacus"}); }, "abacus"), ErrorCode::invalid);
  EXPECT_EQ(code_of([] { load_demo({.dtype = "f64"}); }, "f64"), ErrorCode::invalid);
  EXPECT_EQ(code_of([] { load_demo({.threads = -1}); }, "threads"), ErrorCode::invalid);
  EXPECT_EQ(code_of([] { load_demo({.lora = {"no/adapter"}}); }, "no/adapter"), ErrorCode::invalid);
}

TEST(ApiModel, PromptsAreLeftToLaterRequests) {
  std::string prompt;
  for (int i = 0; i < 60; ++i) prompt += "It was late. Rain fell. ";
  prompt += kQuestion;
  const RequestOptions options{.gen_length = 32, .method = "fast-dllm:cache=dual,prompt_chunk=64"};
  const Model keeps = load_demo({.prefix_cache = 0.1});
  const Result first = keeps.generate(prompt, options);
  const Result again = keeps.generate(prompt, options);
  EXPECT_EQ(first.cached_tokens, 0);
  EXPECT_GE(again.cached_tokens, 64);
  EXPECT_EQ(again.cached_tokens % 64, 0);
  EXPECT_EQ(again.tokens, first.tokens);
  EXPECT_LT(again.rows, first.rows);
  for (int i = 0; i < 2; ++i) {  // this one keeps nothing
    const Result plain = demo().generate(prompt, options);
    EXPECT_EQ(plain.cached_tokens, 0);
    EXPECT_EQ(plain.tokens, first.tokens);
  }
  EXPECT_EQ(code_of([] { load_demo({.prefix_cache = -1}); }, "prefix_cache"), ErrorCode::invalid);
  EXPECT_EQ(code_of([] { load_demo({.prefix_cache = NAN}); }, "prefix_cache"), ErrorCode::invalid);
}

TEST(ApiModel, LoadingCanBeWatchedAndEnded) {
  double last = -1;
  load_demo({.progress = [&](double share) {
    EXPECT_GE(share, last);
    last = share;
    return true;
  }});
  EXPECT_EQ(last, 1);
  EXPECT_EQ(code_of([] { load_demo({.progress = [](double) { return false; }}); }),
            ErrorCode::cancelled);
  const auto throwing = [](double) -> bool { throw std::out_of_range("mine"); };
  EXPECT_THROW(load_demo({.progress = throwing}), std::out_of_range);
}

TEST(ApiModel, TextBecomesTokensAndText) {
  const std::vector<Token> tokens = demo().encode("The code");
  EXPECT_EQ(demo().decode(tokens), "The code");
  EXPECT_EQ(demo().decode({}), "");
}

TEST(ApiModel, PromptsAreWhatTheTemplateMakesOfThem) {
  const std::vector<Message> messages{{"user", kQuestion}};
  const std::string text = demo().chat_text(messages);
  EXPECT_THAT(text, HasSubstr(kQuestion));
  EXPECT_THAT(text, HasSubstr("<|start_header_id|>assistant"));
  const Request asked = demo().prepare(kQuestion);
  const Request conversed = demo().prepare_chat(messages);
  EXPECT_TRUE(std::ranges::equal(asked.tokens(), conversed.tokens()));
  const Request tokens = demo().prepare_tokens(demo().encode(text));
  EXPECT_TRUE(std::ranges::equal(asked.tokens(), tokens.tokens()));
  EXPECT_EQ(demo().prepare("The code", {.raw = true}).prompt_length(),
            static_cast<int>(demo().encode("The code").size()));
}

TEST(ApiModel, RequestsSayWhatTheyAre) {
  const Request request = demo().prepare(kQuestion, {.gen_length = 20, .block_length = 32});
  EXPECT_EQ(request.block_length(), 20);
  EXPECT_EQ(static_cast<int>(request.tokens().size()), request.prompt_length() + 20);
  EXPECT_EQ(request.method(), "fast-dllm:cache=dual,refresh=window");
  EXPECT_THAT(request.notes(), ElementsAre(HasSubstr("20 tokens instead of 32")));
}

TEST(ApiModel, RefusesImpossibleRequests) {
  const auto code = [](const RequestOptions& options, const std::string& part) {
    return code_of([&] { demo().prepare(kQuestion, options); }, part);
  };
  EXPECT_EQ(code({.preset = "wild"}, "wild"), ErrorCode::invalid);
  EXPECT_EQ(code({.gen_length = 0}, "gen_length"), ErrorCode::invalid);
  EXPECT_EQ(code({.gen_length = 2'000'000'000}, "gen_length"), ErrorCode::invalid);
  EXPECT_EQ(code({.temperature = -1}, "temperature"), ErrorCode::invalid);
  EXPECT_EQ(code({.method = "magic"}, "magic"), ErrorCode::invalid);
  EXPECT_EQ(code({.json_schema = "{\"type\": 3}"}, ""), ErrorCode::schema);
  EXPECT_EQ(code({.json_schema = "{"}, "schema"), ErrorCode::invalid);
  EXPECT_EQ(code_of([] { demo().prepare(""); }, "empty"), ErrorCode::invalid);
  EXPECT_EQ(code_of([] { demo().prepare_chat({}); }, "no message"), ErrorCode::invalid);
  const std::vector<Token> wrong{1, 99'999};
  EXPECT_EQ(code_of([&] { demo().prepare_tokens(wrong); }, "99999"), ErrorCode::invalid);
  EXPECT_EQ(code_of([] { demo().prepare_fill("no hole"); }), ErrorCode::invalid);
  EXPECT_EQ(code_of([] { demo().generate(Request()); }), ErrorCode::misuse);
  const Request foreign = load_demo().prepare(kQuestion);
  EXPECT_EQ(code_of([&] { demo().generate(foreign); }, "another model"), ErrorCode::misuse);
}

TEST(ApiModel, AnswersSatisfyASchema) {
  const RequestOptions options{
      .json_schema = R"({"type": "object", "properties": {"code": {"type": "integer"}},
                         "required": ["code"]})"};
  EXPECT_THAT(demo().generate(kQuestion, options).text,
              ::testing::MatchesRegex(R"(\{"code": ?-?[0-9]+\})"));
}

TEST(ApiModel, FillsHoles) {
  const Result result = demo().generate(
      demo().prepare_fill("The code of the brave otter is 4821. The code of the ___{2} is 4821."));
  EXPECT_THAT(result.text, HasSubstr("The code of the brave otter is 4821. The code of the "));
  EXPECT_EQ(result.text.find("___"), std::string::npos);
  EXPECT_EQ(result.answer_tokens, 2);
}

TEST(ApiModel, ExplainsWithoutComputing) {
  const Plan exact = demo().explain(demo().prepare(kQuestion, {.preset = "exact"}));
  EXPECT_EQ(exact.steps.size(), 128U);
  EXPECT_EQ(exact.weight_bytes, demo().info().weight_bytes);
  EXPECT_GT(exact.request_bytes, 0);
  EXPECT_EQ(exact.steps[0].density, 1);
  EXPECT_LT(demo().explain(demo().prepare(kQuestion)).rows, exact.rows);
}

TEST(ApiModel, OptionsHaveNames) {
  RequestOptions options;
  options.set("gen_length", "12");
  options.set("temperature", "0.5");
  options.set("early_stop", "false");
  options.set("method", "sparsed:skip=0.2");
  options.set("template_options", R"({"enable_thinking": false})");
  EXPECT_EQ(options.gen_length, 12);
  EXPECT_EQ(options.temperature, 0.5);
  EXPECT_FALSE(options.early_stop);
  EXPECT_EQ(options.method, "sparsed:skip=0.2");
  EXPECT_EQ(options.template_options.at("enable_thinking"), "false");
  EXPECT_EQ(code_of([&] { options.set("gen_length", "many"); }, "many"), ErrorCode::invalid);
  EXPECT_EQ(code_of([&] { options.set("temperature", "nan"); }, "nan"), ErrorCode::invalid);
  EXPECT_EQ(code_of([&] { options.set("length", "1"); }, "gen_length"), ErrorCode::invalid);
  LoadOptions load;
  load.set("lora", "a");
  load.set("lora", "b");
  EXPECT_THAT(load.lora, ElementsAre("a", "b"));
}

TEST(ApiModel, ListsPresetsAndMethods) {
  EXPECT_EQ(presets()[1].name, "balanced");
  EXPECT_THAT(methods(), ::testing::Contains("sparsed"));
  EXPECT_THAT(method_options("sparsed"), ::testing::Contains("skip"));
  EXPECT_EQ(code_of([] { method_options("magic"); }), ErrorCode::invalid);
  EXPECT_STREQ(version(), UNMASK_VERSION);
}

TEST(ApiModel, ModelsWithOtherSettingsDoNotDisturbEachOther) {
  const std::string alone = load_demo({.dtype = "int8", .threads = 1}).generate(kQuestion).text;
  const Model one = load_demo({.dtype = "f32", .threads = 2});
  const Model other = load_demo({.dtype = "int8", .threads = 1});
  std::vector<Token> first;
  Engine engine(one);
  const RequestId id = engine.submit(one.prepare(kQuestion, {.preset = "exact", .gen_length = 16}));
  while (engine.step()) {
    EXPECT_EQ(other.generate(kQuestion).text, alone);
  }
  EXPECT_EQ(engine.take(id).tokens,
            one.generate(one.prepare(kQuestion, {.preset = "exact", .gen_length = 16})).tokens);
  EXPECT_EQ(one.info().dtype, "f32");
  EXPECT_EQ(other.info().dtype, "int8");
}

TEST(ApiDecide, AnswersQuestionsOfAllKinds) {
  const std::vector<Question> questions{
      {.kind = QuestionKind::yes_no, .text = "Is it late?"},
      {.kind = QuestionKind::choice, .text = "Who?", .options = {{"otter"}, {"owl"}, {"fox"}}},
      {.kind = QuestionKind::level, .text = "How?", .options = {{"low"}, {"mid"}, {"high"}}}};
  const std::vector<Answer> answers = demo().decide("It was late.", questions);
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_EQ(answers[0].probabilities.size(), 2U);
  for (const Answer& answer : answers) {
    double sum = 0;
    for (const double p : answer.probabilities) sum += p;
    EXPECT_NEAR(sum, 1, 1e-9);
    EXPECT_GE(answer.confidence, 0);
    EXPECT_LE(answer.confidence, 1);
    EXPECT_EQ(answer.probabilities[static_cast<size_t>(answer.best)],
              *std::ranges::max_element(answer.probabilities));
  }
  EXPECT_GT(answers[2].level, 0);
  EXPECT_EQ(code_of([] { demo().decide("It was late.", {}); }, "no question"), ErrorCode::invalid);
  const Question lonely{.kind = QuestionKind::choice, .text = "Which?", .options = {{"one"}}};
  EXPECT_EQ(code_of([&] { demo().decide("", {&lonely, 1}); }, "1 options"), ErrorCode::invalid);
}

TEST(ApiScore, PrefersTheTruth) {
  const ScoreOptions few{.samples = 16};
  const Score right = demo().score(kQuestion, kAnswer, few);
  const Score wrong = demo().score(kQuestion, "brave otter: 7935", few);
  EXPECT_GT(right.log_likelihood, wrong.log_likelihood);
  EXPECT_EQ(right.tokens, static_cast<int>(demo().encode(kAnswer).size()));
  const Request asked = demo().prepare(kQuestion);
  const auto prompt = asked.tokens().first(static_cast<size_t>(asked.prompt_length()));
  EXPECT_EQ(demo().score_tokens(prompt, demo().encode(kAnswer), few).log_likelihood,
            right.log_likelihood);
  EXPECT_EQ(code_of([&] { demo().score(kQuestion, kAnswer, {.samples = 0}); }), ErrorCode::invalid);
  EXPECT_EQ(code_of([&] { demo().score_tokens({}, {}); }), ErrorCode::invalid);
  Cancellation cancelled;
  cancelled.cancel();
  EXPECT_EQ(code_of([&] { demo().score(kQuestion, kAnswer, few, cancelled); }),
            ErrorCode::cancelled);
}

}  // namespace
}  // namespace unmask
