// The embedded model finds what a text hides: recall on fixed examples, method by
// method.
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "io/text/chat_template.h"
#include "session/model.h"

namespace unmask {
namespace {

struct Target {
  std::string task;  // tests/demo/TASK.jsonl
  std::string method;
  double bound;  // of the share of expected strings found in 100 examples
};

constexpr const char* kSparsed = "sparsed:select=0.3,block=32";
constexpr const char* kSparseDllm = "sparse-dllm:keep=0.5";

/// Examples per task: a few by default, as many as UNMASK_DEMO_EXAMPLES says (100 at most).
size_t wanted_examples() {
  const char* chosen = std::getenv("UNMASK_DEMO_EXAMPLES");
  return chosen != nullptr ? std::stoul(chosen) : 20;
}

std::string answer_to(Model& model, const nlohmann::json& example, const std::string& method) {
  std::vector<ChatMessage> messages;
  for (const auto& m : example["messages"]) {
    ChatMessage message;
    message.role = m["role"];
    message.content = m["content"];
    messages.push_back(std::move(message));
  }
  const PromptText prompt = ChatTemplate::built_in("llada").render(messages);
  Request request =
      append_masks(model.tokenizer().encode(prompt), example["gen_length"], model.config().mask_id);
  request.block_length = request.gen_length();
  request.steps = request.block_length / 2;
  request.eos_ids = model.config().stop_ids;
  request.method = method;
  const Result result = generate(model.transformer(), std::span(&request, 1))[0];
  const std::span<const TokenId> tokens(result.tokens);
  return model.tokenizer().decode(tokens.subspan(static_cast<size_t>(result.answer.begin),
                                                 static_cast<size_t>(result.answer.size())),
                                  {.skip_special = true});
}

class DemoModel : public ::testing::TestWithParam<Target> {
 protected:
  /// Share of the expected strings that the answers hold, and the number of examples.
  std::pair<double, size_t> measure() {
    const char* directory = std::getenv("UNMASK_DEMO_MODEL");
    const char* dtype = std::getenv("UNMASK_DEMO_DTYPE");
    Model model(directory != nullptr ? directory : UNMASK_DEMO_DIRECTORY,
                {.weights = parse_weight_type(dtype != nullptr ? dtype : "auto")});
    std::ifstream file(std::string(UNMASK_DEMO_EXAMPLES_DIRECTORY) + "/" + GetParam().task +
                       ".jsonl");
    EXPECT_TRUE(file) << GetParam().task;
    size_t examples = 0;
    size_t found = 0;
    size_t expected = 0;
    std::string line;
    while (examples < wanted_examples() && std::getline(file, line)) {
      const auto example = nlohmann::json::parse(line);
      const std::string answer = answer_to(model, example, GetParam().method);
      for (const std::string text : example["expected"]) {
        ++expected;
        if (answer.find(text) != std::string::npos) ++found;
      }
      ++examples;
    }
    const double recall = static_cast<double>(found) / static_cast<double>(expected);
    std::printf("%s, %s: %zu examples, %zu of %zu strings found, recall %.3f (bound %.2f)\n",
                GetParam().task.c_str(), GetParam().method.c_str(), examples, found, expected,
                recall, GetParam().bound);
    return {recall, examples};
  }

  /// Fewer examples than the bounds were stated for: allow three standard deviations.
  static double slack(size_t examples) {
    const double bound = GetParam().bound;
    return examples >= 100 ? 0 : 3 * std::sqrt(bound * (1 - bound) / static_cast<double>(examples));
  }
};

using MethodThatFinds = DemoModel;
using MethodThatLoses = DemoModel;

TEST_P(MethodThatFinds, WhatTheTextHides) {
  const auto [recall, examples] = measure();
  EXPECT_GE(recall, GetParam().bound - slack(examples));
}

TEST_P(MethodThatLoses, WhatTheTextHides) {
  const auto [recall, examples] = measure();
  EXPECT_LE(recall, GetParam().bound + slack(examples));
}

std::string case_name(const ::testing::TestParamInfo<Target>& info) {
  std::string name = info.param.task + "_" + info.param.method;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

// What full attention finds, SparseD and Sparse-dLLM find within 3 points.
INSTANTIATE_TEST_SUITE_P(
    Demo, MethodThatFinds,
    ::testing::Values(Target{"multikey_256", "full", 0.99}, Target{"multikey_512", "full", 0.99},
                      Target{"multikey_1024", "full", 0.95}, Target{"multiquery_512", "full", 0.93},
                      Target{"people_512", "full", 0.95}, Target{"tracking_512", "full", 0.65},
                      Target{"multikey_512", kSparsed, 0.97},
                      Target{"multikey_1024", kSparsed, 0.96},
                      Target{"multikey_512", kSparseDllm, 0.97},
                      Target{"multikey_1024", kSparseDllm, 0.96}),
    case_name);

// What ignores where the model looks at the same density does not.
INSTANTIATE_TEST_SUITE_P(
    Demo, MethodThatLoses,
    ::testing::Values(Target{"multikey_512", "sliding-window:window=150,block=16", 0.3},
                      Target{"multikey_512", "sparse-dllm:keep=0.5,score=random", 0.65}),
    case_name);

}  // namespace
}  // namespace unmask
