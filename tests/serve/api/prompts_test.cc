#include "serve/api/prompts.h"

#include <gtest/gtest.h>

#include "serve/refusal.h"

namespace unmask {
namespace {

using nlohmann::json;
using testing::expect_refusal;
using Prompts = std::vector<CompletionPrompt>;
using Tokens = std::vector<TokenId>;

Prompts read_prompt(const std::string& prompt) {
  const json document = json::parse("{\"prompt\":" + prompt + "}");
  Fields body(document);
  return read_prompts(body, 100);
}

TEST(Prompts, ComeInFourForms) {
  EXPECT_EQ(read_prompt("\"a\""), (Prompts{"a"}));
  EXPECT_EQ(read_prompt("[\"a\",\"b\"]"), (Prompts{"a", "b"}));
  EXPECT_EQ(read_prompt("[1,99]"), (Prompts{Tokens{1, 99}}));
  EXPECT_EQ(read_prompt("[[1],[2,3]]"), (Prompts{Tokens{1}, Tokens{2, 3}}));
  EXPECT_EQ(read_prompt("[[1],\"x\"]"), (Prompts{Tokens{1}, "x"}));
}

TEST(Prompts, NamesTheOneAtFault) {
  const std::pair<const char*, const char*> wrong[] = {{"null", "prompt"},
                                                       {"3", "prompt"},
                                                       {"[-1]", "prompt"},
                                                       {"[100]", "prompt"},
                                                       {"[1.5]", "prompt"},
                                                       {"[1e18]", "prompt"},
                                                       {"[1,\"x\"]", "prompt"},
                                                       {"[[1],[100]]", "prompt[1]"},
                                                       {"[\"x\",{}]", "prompt[1]"},
                                                       {"{}", "prompt"},
                                                       {"[1000000000000000000]", "prompt"}};
  for (const auto& [text, param] : wrong) {
    SCOPED_TRACE(text);
    expect_refusal([body = text] { read_prompt(body); }, param);
  }
}

TEST(Prompts, SixtyFourAtMost) {
  std::string many = "[\"x\"";
  for (int i = 1; i < 64; ++i) many += ",\"x\"";
  EXPECT_EQ(read_prompt(many + "]").size(), 64U);
  expect_refusal([&] { read_prompt(many + ",\"x\"]"); }, "prompt");
}

}  // namespace
}  // namespace unmask
