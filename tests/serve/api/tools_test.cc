#include "serve/api/tools.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/api/asking.h"
#include "serve/api/chat_wording.h"
#include "serve/api/tool_decision.h"

namespace unmask {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using namespace unmask::testing;  // NOLINT(google-build-using-namespace)

constexpr const char* kWeather =
    R"({"type": "function", "function": {"name": "get_weather", "description": "Weather of a place",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}},
                       "required": ["city"]}}})";
constexpr const char* kTime = R"({"type": "function", "function": {"name": "now"}})";

std::string both(const std::string& choice) {
  return fmt::format(R"("tools": [{}, {}], "tool_choice": {})", kWeather, kTime, choice);
}

class Tools : public ::testing::Test {
 protected:
  std::unique_ptr<Plan> plan(const std::string& members) {
    return prepare_chat(request_of(chat_body(members)), context_).plan;
  }
  GenerationPlan generation(const std::string& members) {
    return std::move(dynamic_cast<GenerationPlan&>(*plan(members)));
  }
  bool may_write(const GenerationPlan& plan, std::string_view text) {
    const TokenAutomaton& automaton = *plan.requests[0].constraint;
    int state = TokenAutomaton::start();
    for (const TokenId id : context_.files.tokenizer().encode(text)) {
      if (state != Automaton::kNone) state = automaton.next(state, id);
    }
    return state != Automaton::kNone;
  }
  std::string prompt(const GenerationPlan& plan) const {
    const Request& request = plan.requests.front();
    return context_.files.tokenizer().decode(
        std::span(request.tokens).first(static_cast<size_t>(request.prompt_length)));
  }

  ApiContext context_ = demo_context();
};

TEST_F(Tools, NoneIsAsIfThereWereNone) {
  const GenerationPlan none = generation(both(R"("none")"));
  EXPECT_EQ(none.requests[0].constraint, nullptr);
  EXPECT_THAT(prompt(none), Not(HasSubstr("get_weather")));
  EXPECT_EQ(generation(R"("tools": [])").requests[0].constraint, nullptr);
}

TEST_F(Tools, RequiredIsACallOfAny) {
  const GenerationPlan required = generation(both(R"("required")"));
  EXPECT_TRUE(may_write(required, R"({"name": "get_weather", "arguments": {"city": "Bonn"}})"));
  EXPECT_TRUE(may_write(required, R"({"name": "now", "arguments": {}})"));
  EXPECT_FALSE(may_write(required, R"({"name": "other)"));
  EXPECT_THAT(prompt(required), HasSubstr("Weather of a place"));
  EXPECT_THAT(required.fields.warnings, ElementsAre(HasSubstr("has no tools")));
}

TEST_F(Tools, NamedIsACallOfThatOne) {
  const GenerationPlan named =
      generation(both(R"({"type": "function", "function": {"name": "now"}})"));
  EXPECT_TRUE(may_write(named, R"({"name": "now", "arguments": {}})"));
  EXPECT_FALSE(may_write(named, R"({"name": "get_weather)"));
}

TEST_F(Tools, AutomaticAsksFirst) {
  const std::unique_ptr<Plan> asked = plan(both(R"("auto")"));
  EXPECT_EQ(dynamic_cast<GenerationPlan*>(asked.get()), nullptr);
  const std::unique_ptr<Plan> by_default = plan(fmt::format(R"("tools": [{}])", kTime));
  EXPECT_EQ(dynamic_cast<GenerationPlan*>(by_default.get()), nullptr);
}

TEST_F(Tools, CallsLeaveOutWhatWouldBreakThem) {
  const GenerationPlan call =
      generation(both(R"("required")") + R"(, "temperature": 1, "top_p": 0.9, "stop": "}",
                 "response_format": {"type": "json_object"}, "parallel_tool_calls": true)");
  EXPECT_FALSE(call.requests[0].sampler.top_p.has_value());
  EXPECT_TRUE(call.texts[0].stops.empty());
  EXPECT_THAT(call.fields.ignored,
              ElementsAre("parallel_tool_calls", "response_format", "top_p", "stop"));
  EXPECT_EQ(
      chat_refusal(context_, both(R"("required")") + R"(, "diffusion": {"suppress_eos": true})")
          .param,
      "diffusion.suppress_eos");
}

TEST_F(Tools, RefusesWrongOnes) {
  const auto param = [&](const std::string& members) {
    const ApiError error = chat_refusal(context_, members);
    EXPECT_EQ(error.status, 400) << error.message;
    return error.param.value_or("none");
  };
  const auto named = [](const std::string& name) {
    return fmt::format(R"("tools": [{{"type": "function", "function": {{"name": "{}"}}}}])", name);
  };
  EXPECT_EQ(param(fmt::format(R"("tools": [{0}, {1}, {0}])", kTime, kWeather)),
            "tools[2].function.name");
  EXPECT_EQ(param(named("")), "tools[0].function.name");
  EXPECT_EQ(param(named("a b")), "tools[0].function.name");
  EXPECT_EQ(param(named("\xc3\xa9t\xc3\xa9")), "tools[0].function.name");
  EXPECT_EQ(param(named(std::string(65, 'a'))), "tools[0].function.name");
  EXPECT_EQ(param(R"("tools": ["now"])"), "tools[0]");
  EXPECT_EQ(param(R"("tools": [{"type": "function"}])"), "tools[0].function");
  EXPECT_EQ(param(R"("tools": [{"type": "retrieval"}])"), "tools[0].type");
  EXPECT_EQ(param(both(R"({"type": "function", "function": {"name": "then"}})")),
            "tool_choice.function.name");
  EXPECT_EQ(param(both(R"("sometimes")")), "tool_choice");
  EXPECT_EQ(param(R"("tool_choice": "required")"), "tool_choice");
  EXPECT_EQ(param(R"("tool_choice": {"type": "function", "function": {"name": "now"}})"),
            "tool_choice.function.name");
}

TEST_F(Tools, NamesThePlaceOfParametersThatCannotBePromised) {
  const std::string bad = R"({"type": "function", "function": {"name": "bad",
      "parameters": {"type": "object", "properties": {"a": {"not": {}}}}}})";
  for (const char* choice :
       {R"("auto")", R"("required")", R"({"type": "function", "function": {"name": "bad"}})"}) {
    const ApiError error = chat_refusal(
        context_, fmt::format(R"("tools": [{}, {}], "tool_choice": {})", kTime, bad, choice));
    EXPECT_EQ(error.code, "unsupported_schema") << choice;
    EXPECT_EQ(error.param, "tools[1].function.parameters/properties/a/not");
  }
}

TEST_F(Tools, CallsMadeBeforeAreToldAsText) {
  const std::string body = R"({"messages": [{"role": "user", "content": "Time?"},
      {"role": "assistant", "content": null, "tool_calls": [{"id": "call_1", "type": "function",
       "function": {"name": "now", "arguments": "{}"}}]},
      {"role": "tool", "tool_call_id": "call_1", "content": "12:00"}]})";
  Prepared prepared = prepare_chat(request_of(body), context_);
  const auto& plan = dynamic_cast<GenerationPlan&>(*prepared.plan);
  EXPECT_THAT(prompt(plan), HasSubstr(R"({"name": "now", "arguments": {}})"));
  EXPECT_THAT(prompt(plan), HasSubstr("12:00"));
}

TEST(ToolsOfChatMl, StandInTheTemplate) {
  const ApiContext context =
      context_of(ModelFiles::open(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/../tokenizer-dream"));
  Prepared prepared = prepare_chat(request_of(chat_body(both(R"("required")"))), context);
  const auto& plan = dynamic_cast<GenerationPlan&>(*prepared.plan);
  const Request& request = plan.requests.front();
  const std::string prompt = context.files.tokenizer().decode(
      std::span(request.tokens).first(static_cast<size_t>(request.prompt_length)));
  EXPECT_THAT(prompt, HasSubstr("<tools>\n{\"type\": \"function\""));
  EXPECT_TRUE(prompt.ends_with("<|im_start|>assistant\n<tool_call>\n")) << prompt;
  EXPECT_TRUE(plan.fields.warnings.empty());
}

TEST(ToolDecision, TakesTheLikeliest) {
  const std::vector<std::string> tools{"f", "text"};
  const Verdict verdict{{std::log(0.2), std::log(0.3), std::log(0.5)}, 0.75};
  const ToolDecision decision = decide_tool(tools, verdict);
  EXPECT_EQ(decision.option, 2U);
  const Json& report = *decision.report;
  EXPECT_EQ(report["tool"], "text");
  EXPECT_EQ(report["label_mass"], 0.75);
  EXPECT_TRUE(report["options"][0]["tool"].is_null()) << "an answer in text";
  EXPECT_NEAR(report["options"][1]["probability"].get<double>(), 0.3, 1e-12);
}

TEST(CallWording, MakesACallOfTheWholeAnswer) {
  const CallWording wording(2);
  const FinishedChoice finished{
      .text = R"({"name": "f", "arguments": {"n": 1e3, "s": "a: \"b\""}})", .reason = "stop"};
  const Json choice = wording.choice(1, finished);
  EXPECT_EQ(choice["finish_reason"], "tool_calls");
  EXPECT_TRUE(choice["message"]["content"].is_null());
  const Json& call = choice["message"]["tool_calls"][0];
  EXPECT_THAT(call["id"].get<std::string>(), MatchesRegex("call_[0-9a-f]{16}"));
  EXPECT_EQ(call["type"], "function");
  EXPECT_EQ(call["function"]["name"], "f");
  EXPECT_EQ(call["function"]["arguments"], R"({"n": 1e3, "s": "a: \"b\""})");
  EXPECT_NE(wording.choice(0, finished)["message"]["tool_calls"][0]["id"], call["id"]);
}

TEST(CallWording, StreamsACallInOneChunk) {
  const CallWording wording(1);
  EXPECT_FALSE(wording.tells_pieces());
  EXPECT_TRUE(wording.opening(0)["delta"]["content"].is_null());
  FinishedChoice finished{.text = R"({"name": "f", "arguments": {}})", .reason = "length"};
  const Json last = wording.closing(0, finished);
  EXPECT_EQ(last["finish_reason"], "tool_calls");
  EXPECT_EQ(last["delta"]["tool_calls"][0]["index"], 0);
  EXPECT_EQ(last["delta"]["tool_calls"][0]["function"]["arguments"], "{}");
  finished.text = R"({"name": "f", "argum)";
  finished.result.cancelled = true;
  const Json cut = wording.closing(0, finished);
  EXPECT_EQ(cut["finish_reason"], "length");
  EXPECT_EQ(cut["delta"]["content"], finished.text) << "as it is";
}

}  // namespace
}  // namespace unmask
