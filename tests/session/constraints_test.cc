#include "session/constraints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/error.h"
#include "session/request_builder.h"
#include "support/byte_model.h"

namespace unmask {
namespace {

using ::testing::ElementsAre;
using testing::files_of;
using ::testing::HasSubstr;
using testing::kEnd;
using testing::kMask;
using Json = nlohmann::ordered_json;

Json number(int n) { return {{"const", n}}; }

/// The state behind `text`, a token a byte.
int state_after(const TokenAutomaton& automaton, std::string_view text) {
  int state = TokenAutomaton::start();
  for (const char c : text) {
    if (state == Automaton::kNone) break;
    state = automaton.next(state, static_cast<uint8_t>(c));
  }
  return state;
}

Tokenizer byte_tokenizer(const std::vector<AddedToken>& added) {
  TokenizerSpec spec{.origin = "test", .patterns = {R"([\s\S]+)"}};
  for (int byte = 0; byte < 256; ++byte) {
    spec.vocab.emplace_back(byte_to_alphabet(static_cast<uint8_t>(byte)), byte);
  }
  spec.added = added;
  return Tokenizer::build(spec);
}

TEST(Constraints, KnowTheTokensOfTheirModel) {
  Constraints constraints(files_of(Family::llada));
  const Constraint any = constraints.schema({{"type", "string"}});
  EXPECT_EQ(any->n_tokens(), 258);
  const int inside = state_after(*any, "\"a");
  EXPECT_NE(inside, Automaton::kNone);
  EXPECT_EQ(any->next(inside, kMask), Automaton::kNone);
  EXPECT_EQ(any->next(inside, kEnd), Automaton::kNone) << "the string is open";
  EXPECT_EQ(any->next(state_after(*any, "\"a\""), kEnd), any->end_state());
}

TEST(Constraints, AddedTokensAreNoText) {
  ModelConfig config = files_of(Family::llada).config();
  config.vocab_size = 262;  // two more than the tokenizer knows
  Constraints constraints(
      ModelFiles(config, byte_tokenizer({{.id = 258, .text = "special", .special = true},
                                         {.id = 259, .text = "added"}})));
  const Constraint any = constraints.schema({{"type", "string"}});
  const int inside = state_after(*any, "\"");
  for (TokenId id = 256; id < 262; ++id) EXPECT_EQ(any->next(inside, id), Automaton::kNone) << id;
}

TEST(Constraints, KeepThoseThatWereAskedForLast) {
  Constraints constraints(files_of(Family::llada));
  const Constraint first = constraints.schema(number(0));
  for (int n = 1; n < 32; ++n) constraints.schema(number(n));
  EXPECT_EQ(constraints.schema(number(0)), first);
  constraints.json_object();  // the 33rd
  EXPECT_EQ(constraints.schema(number(0)), first) << "it was used a moment ago";
  for (int n = 100; n < 132; ++n) constraints.schema(number(n));
  EXPECT_NE(constraints.schema(number(0)), first);
}

TEST(Constraints, TellKindsAndOrdersApart) {
  Constraints constraints(files_of(Family::llada));
  const Json one = Json::parse(R"({"properties": {"a": {}, "b": {}}, "type": "object"})");
  const Json other = Json::parse(R"({"properties": {"b": {}, "a": {}}, "type": "object"})");
  EXPECT_NE(constraints.schema(one), constraints.schema(other));
  const std::vector<ToolSchema> tools{{"f", &one}};
  const Constraint call = constraints.tool_call(tools);
  EXPECT_EQ(constraints.tool_call(tools), call);
  EXPECT_NE(state_after(*call, R"({"name": "f", "arguments": {)"), Automaton::kNone);
  EXPECT_EQ(state_after(*call, R"({"name": "g)"), Automaton::kNone);
}

TEST(Constraints, RefuseWhatCannotBePromised) {
  Constraints constraints(files_of(Family::llada));
  const auto refused = [](const std::function<void()>& ask) -> std::string {
    try {
      ask();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::schema);
      return error.what();
    }
    return "nothing";
  };
  EXPECT_THAT(refused([&] { constraints.schema({{"not", Json::object()}}); }), HasSubstr("/not"));
  EXPECT_THAT(refused([&] { constraints.schema({{"const", "\xff"}}); }), HasSubstr("UTF-8"));
  ModelConfig endless = files_of(Family::llada).config();
  endless.stop_ids.clear();
  Constraints none(ModelFiles(endless, byte_tokenizer({})));
  EXPECT_THAT(refused([&] { none.json_object(); }), HasSubstr("end token"));
}

TEST(Constraints, SeveralThreadsMayAsk) {
  Constraints constraints(files_of(Family::llada));
  std::vector<std::vector<Constraint>> found(4);
  std::vector<std::thread> threads;
  for (auto& mine : found) {
    threads.emplace_back([&] {
      for (int n = 0; n < 20; ++n) mine.push_back(constraints.schema(number(n)));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& mine : found) EXPECT_EQ(mine, found[0]);
}

TEST(AnswerForm, IsSaidInTheSystemText) {
  Constraints constraints(files_of(Family::llada));
  const AnswerForm form = schema_form({{"type", "integer"}}, constraints);
  EXPECT_THAT(form.instruction, HasSubstr(R"({"type":"integer"})"));
  std::vector<ChatMessage> messages{{"user", "hi"}};
  add_to_system(messages, "a");
  add_to_system(messages, "b");
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0].role, "system");
  EXPECT_EQ(messages[0].content, "a\n\nb");
}

class ConstrainedOptions : public ::testing::Test {
 protected:
  RequestOptions options(std::optional<int> most = {}) {
    return {.max_tokens = most, .constraint = constraints_.schema({{"const", "four"}})};
  }

  ModelFiles files_ = files_of(Family::llada);
  Constraints constraints_{files_};
};

TEST_F(ConstrainedOptions, CanvasHasItsFullLengthFromTheBeginning) {
  std::vector<std::string> said;
  const Request request = build_request(options(200), files_, {'h'}, &said);
  EXPECT_EQ(request.gen_length(), 200);
  EXPECT_EQ(request.most_length, 0);
  EXPECT_EQ(request.constraint, options().constraint);
  EXPECT_TRUE(said.empty()) << "nobody asked for a length to grow from";
  RequestOptions grows = options(200);
  grows.gen_length = 64;
  EXPECT_EQ(build_request(grows, files_, {}, &said).gen_length(), 200);
  EXPECT_THAT(said, ElementsAre(HasSubstr("all 200 tokens")));
}

TEST_F(ConstrainedOptions, SayBothNumbersWhenThereIsNoRoom) {
  EXPECT_EQ(build_request(options(6), files_, {}).gen_length(), 6);
  try {
    build_request(options(5), files_, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::schema);
    EXPECT_THAT(error.what(), HasSubstr("found 5 tokens, expected at least 6"));
  }
}

TEST_F(ConstrainedOptions, ExcludeWhatInterferes) {
  RequestOptions o = options();
  o.early_stop = false;
  EXPECT_THROW(build_request(o, files_, {}), Error);
  o = options();
  o.suppress_eos = true;
  EXPECT_THROW(build_request(o, files_, {}), Error);
  o = options();
  o.top_k = 5;
  EXPECT_THROW(build_request(o, files_, {}), Error);
  const std::vector<FillPart> parts{{"a", 4}};
  EXPECT_THROW(build_fill_request(options(), files_, parts), Error);
}

TEST_F(ConstrainedOptions, DropFiltersThatOnlyTheModelRecommends) {
  GenerationDefaults advice;
  advice.top_p = 0.9F;
  advice.top_k = 7;
  advice.temperature = 0.2F;
  const Request request = build_request(options(), files_of(Family::dream, advice), {});
  EXPECT_FALSE(request.sampler.top_p || request.sampler.top_k);
  EXPECT_NEAR(request.sampler.temperature, 0.2, 1e-6);
}

}  // namespace
}  // namespace unmask
