#include "serve/api/response_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/api/asking.h"
#include "serve/api/completions.h"

namespace unmask {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using namespace unmask::testing;  // NOLINT(google-build-using-namespace)

class ResponseFormat : public ::testing::Test {
 protected:
  GenerationPlan chat(const std::string& members) {
    Prepared prepared = prepare_chat(request_of(chat_body(members)), context_);
    return std::move(dynamic_cast<GenerationPlan&>(*prepared.plan));
  }
  GenerationPlan completion(const std::string& members) {
    Prepared prepared =
        prepare_completion(request_of(R"({"prompt": "a", )" + members + "}"), context_);
    return std::move(dynamic_cast<GenerationPlan&>(*prepared.plan));
  }
  std::string prompt(const GenerationPlan& plan) const {
    const Request& request = plan.requests.front();
    return context_.files.tokenizer().decode(
        std::span(request.tokens).first(static_cast<size_t>(request.prompt_length)));
  }
  static std::string schema(const std::string& text) {
    return R"("response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": true,
              "schema": )" +
           text + "}}";
  }

  ApiContext context_ = demo_context();
};

TEST_F(ResponseFormat, TextIsNoConstraint) {
  EXPECT_EQ(chat(R"("response_format": {"type": "text"})").requests[0].constraint, nullptr);
  EXPECT_EQ(chat(R"("response_format": null)").requests[0].constraint, nullptr);
}

TEST_F(ResponseFormat, SchemaIsKeptAndSaid) {
  const GenerationPlan plan = chat(schema(R"({"type": "object", "properties": {"zip": {"type":
      "integer"}, "age": {"type": "integer"}}, "required": ["zip"]})") +
                                   R"(, "n": 2)");
  ASSERT_EQ(plan.requests.size(), 2U);
  EXPECT_NE(plan.requests[0].constraint, nullptr);
  EXPECT_EQ(plan.requests[1].constraint, plan.requests[0].constraint);
  EXPECT_EQ(plan.requests[0].gen_length(), 256) << "the default of max_tokens, from the beginning";
  EXPECT_EQ(plan.requests[0].most_length, 0);
  EXPECT_THAT(prompt(plan), HasSubstr(R"("properties":{"zip":{"type":"integer"},"age")"))
      << "in the order of the request";
  EXPECT_TRUE(plan.fields.warnings.empty());
  const GenerationPlan quiet =
      chat(schema(R"({"type": "integer"})") + R"(, "diffusion": {"schema_in_prompt": false})");
  EXPECT_NE(quiet.requests[0].constraint, nullptr);
  EXPECT_THAT(prompt(quiet), Not(HasSubstr("schema")));
}

TEST_F(ResponseFormat, SameSchemaIsCompiledOnce) {
  const std::string asked = schema(R"({"type": "integer"})");
  EXPECT_EQ(chat(asked).requests[0].constraint, chat(asked).requests[0].constraint);
}

TEST_F(ResponseFormat, ObjectIsAnyObject) {
  const GenerationPlan plan = chat(R"("response_format": {"type": "json_object"})");
  EXPECT_EQ(plan.requests[0].constraint, context_.constraints->json_object());
  EXPECT_THAT(prompt(plan), HasSubstr("JSON object"));
}

TEST_F(ResponseFormat, NamesThePlaceOfWhatItCannotPromise) {
  const auto at = [&](const std::string& text) {
    const ApiError error = chat_refusal(context_, schema(text));
    EXPECT_EQ(error.status, 400);
    EXPECT_EQ(error.code, "unsupported_schema");
    EXPECT_THAT(error.message, HasSubstr("found"));
    return error.param.value_or("none");
  };
  const std::string root = "response_format.json_schema.schema";
  EXPECT_EQ(at(R"({"type": "object", "properties": {"a/b": {"not": {}}}})"),
            root + "/properties/a~1b/not");
  EXPECT_THAT(at(R"({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}})"),
              HasSubstr(root + "/"));
  EXPECT_EQ(at(R"({"type": "string", "pattern": "(?=a)b"})"), root + "/pattern");
  EXPECT_EQ(at("17").substr(0, root.size()), root);
  std::string many = R"({"enum": [0)";
  for (int i = 1; i < 10'000; ++i) many += fmt::format(",{}", i * 7919);
  EXPECT_THAT(chat_refusal(context_, schema(many + "]}")).status, 400);
}

TEST_F(ResponseFormat, SaysBothNumbersWhenThereIsNoRoom) {
  const ApiError error =
      chat_refusal(context_, schema(R"({"const": "a long text"})") + R"(, "max_tokens": 1)");
  EXPECT_EQ(error.status, 400);
  EXPECT_EQ(error.param, "max_tokens");
  EXPECT_THAT(error.message, HasSubstr("found 1 tokens, expected at least "));
}

TEST_F(ResponseFormat, RefusesWhatInterferes) {
  const std::string integer = schema(R"({"type": "integer"})") + ", ";
  const auto param = [&](const std::string& members) {
    const ApiError error = chat_refusal(context_, integer + members);
    EXPECT_EQ(error.status, 400) << error.message;
    return error.param.value_or("none");
  };
  EXPECT_EQ(param(R"("diffusion": {"suppress_eos": true})"), "diffusion.suppress_eos");
  EXPECT_EQ(param(R"("diffusion": {"defer_eos": true})"), "diffusion.defer_eos");
  EXPECT_EQ(param(R"("diffusion": {"early_stop": false})"), "diffusion.early_stop");
  EXPECT_EQ(param(R"("temperature": 1, "top_p": 0.9)"), "top_p");
  EXPECT_EQ(param(R"("temperature": 1, "top_k": 5)"), "top_k");
  EXPECT_EQ(chat_refusal(context_, integer + R"("top_p": 0.9)").status, 0)
      << "without a temperature it asks for nothing";
}

TEST_F(ResponseFormat, RefusesWhatIsNoFormat) {
  const auto param = [&](const std::string& format) {
    return chat_refusal(context_, R"("response_format": )" + format).param.value_or("none");
  };
  EXPECT_EQ(param(R"("json")"), "response_format");
  EXPECT_EQ(param(R"({"type": "yaml"})"), "response_format.type");
  EXPECT_EQ(param(R"({"type": "json_schema"})"), "response_format.json_schema");
  EXPECT_EQ(param(R"({"type": "json_schema", "json_schema": {"name": "n"}})"),
            "response_format.json_schema.schema");
  EXPECT_EQ(param(R"({"type": "json_object", "schema": {}})"), "response_format.schema");
  const std::string large(70'000, ' ');
  EXPECT_EQ(param(R"({"type": )" + large + R"("json_schema", "json_schema": {"schema": {}}})"),
            "response_format");
}

TEST_F(ResponseFormat, CompletionsHaveASchemaInDiffusion) {
  const GenerationPlan plan =
      completion(R"("max_tokens": 20, "diffusion": {"json_schema": {"type": "integer"}})");
  EXPECT_NE(plan.requests[0].constraint, nullptr);
  EXPECT_EQ(prompt(plan), "a") << "nothing is said to a model that completes";
  const auto refused = [&](const std::string& members) {
    return refusal([&] { completion(members); });
  };
  const ApiError error = refused(R"("diffusion": {"json_schema": {"not": {}}})");
  EXPECT_EQ(error.code, "unsupported_schema");
  EXPECT_EQ(error.param, "diffusion.json_schema/not");
  EXPECT_EQ(refused(R"("suffix": "b", "diffusion": {"json_schema": {"type": "integer"}})").param,
            "diffusion.json_schema");
}

}  // namespace
}  // namespace unmask
