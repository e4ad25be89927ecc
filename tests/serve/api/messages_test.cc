#include "serve/api/messages.h"

#include <gtest/gtest.h>

#include "serve/refusal.h"

namespace unmask {
namespace {

using nlohmann::json;
using testing::expect_refusal;

std::vector<ChatMessage> read(const std::string& messages) {
  const json document = json::parse("{\"messages\":" + messages + "}");
  Fields body(document);
  return read_messages(body);
}

TEST(Messages, ReadsRolesAndContent) {
  const auto messages = read(
      R"([{"role":"developer","content":"a"},{"role":"user","content":[{"type":"text","text":"b"},
          {"type":"input_text","text":"c"}]},{"role":"assistant","content":null},
          {"role":"tool","content":"d","tool_call_id":"x"}])");
  ASSERT_EQ(messages.size(), 4U);
  EXPECT_EQ(messages[0].role, "system");
  EXPECT_EQ(messages[1].content, "bc");
  EXPECT_EQ(messages[2].content, "");
  EXPECT_EQ(messages[3].role, "tool");
}

TEST(Messages, ReadsCallsOfFunctions) {
  const auto messages = read(
      R"([{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":
          {"name":"f","arguments":"{\"x\":1}"}}]}])");
  ASSERT_EQ(messages[0].tool_calls.size(), 1U);
  EXPECT_EQ(messages[0].tool_calls[0].name, "f");
  EXPECT_EQ(messages[0].tool_calls[0].arguments, "{\"x\":1}");
}

TEST(Messages, NamesTheOneAtFault) {
  const std::pair<const char*, const char*> wrong[] = {
      {"null", "messages"},
      {"[]", "messages"},
      {"\"x\"", "messages"},
      {"[null]", "messages[0]"},
      {R"([{"content":"x"}])", "messages[0].role"},
      {R"([{"role":"user","content":"x"},{"role":"root","content":"x"}])", "messages[1].role"},
      {R"([{"role":"user","content":3}])", "messages[0].content"},
      {R"([{"role":"user","content":["x"]}])", "messages[0].content[0]"},
      {R"([{"role":"user","tool_calls":[3]}])", "messages[0].tool_calls[0]"},
      {R"([{"role":"user","tool_calls":[{}]}])", "messages[0].tool_calls[0].function"}};
  for (const auto& [text, param] : wrong) {
    SCOPED_TRACE(text);
    expect_refusal([body = text] { read(body); }, param);
  }
}

TEST(Messages, ReadsNoImages) {
  expect_refusal(
      [] { read(R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}])"); },
      "messages[0].content[0].type", "unsupported_parameter");
}

TEST(Messages, AThousandAtMost) {
  std::string many = R"([{"role":"user","content":"x"})";
  for (int i = 0; i < 1024; ++i) many += R"(,{"role":"user","content":"x"})";
  expect_refusal([&] { read(many + "]"); }, "messages");
}

}  // namespace
}  // namespace unmask
