// The embedded model finds what a text hides: recall on fixed examples, with full attention.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>

#include "generate/loaded_model.h"
#include "io/chat_template.h"

namespace unmask {
namespace {

struct Target {
  std::string task;  // tests/demo/TASK.jsonl
  double recall;     // expected strings found, share
};

/// Examples per task: a few by default, as many as UNMASK_DEMO_EXAMPLES says (100 at most).
size_t wanted_examples() {
  const char* chosen = std::getenv("UNMASK_DEMO_EXAMPLES");
  return chosen != nullptr ? std::stoul(chosen) : 20;
}

std::string answer_to(LoadedModel& model, const nlohmann::json& example) {
  std::vector<ChatMessage> messages;
  for (const auto& m : example["messages"]) {
    ChatMessage message;
    message.role = m["role"];
    message.content = m["content"];
    messages.push_back(std::move(message));
  }
  const std::string prompt = render_chat(ChatFormat::llada, messages);
  Request request =
      append_masks(model.tokenizer().encode(prompt), example["gen_length"], model.config().mask_id);
  request.block_length = 32;
  request.steps = 16;
  request.eos_ids = model.config().stop_ids;
  const Result result = generate(model.transformer(), std::span(&request, 1))[0];
  const std::span<const TokenId> tokens(result.tokens);
  return model.tokenizer().decode(tokens.subspan(static_cast<size_t>(result.answer.begin),
                                                 static_cast<size_t>(result.answer.size())),
                                  {.skip_special = true});
}

class DemoModel : public ::testing::TestWithParam<Target> {};

TEST_P(DemoModel, FindsWhatTheTextHides) {
  const char* directory = std::getenv("UNMASK_DEMO_MODEL");
  const char* dtype = std::getenv("UNMASK_DEMO_DTYPE");
  LoadedModel model(directory != nullptr ? directory : UNMASK_DEMO_DIRECTORY,
                    {.weights = parse_weight_type(dtype != nullptr ? dtype : "auto")});
  std::ifstream file(std::string(UNMASK_DEMO_EXAMPLES_DIRECTORY) + "/" + GetParam().task +
                     ".jsonl");
  ASSERT_TRUE(file) << GetParam().task;
  size_t examples = 0;
  size_t found = 0;
  size_t expected = 0;
  std::string line;
  while (examples < wanted_examples() && std::getline(file, line)) {
    const auto example = nlohmann::json::parse(line);
    const std::string answer = answer_to(model, example);
    for (const std::string text : example["expected"]) {
      ++expected;
      if (answer.find(text) != std::string::npos) ++found;
    }
    ++examples;
  }
  ASSERT_GT(expected, 0U);
  const double recall = static_cast<double>(found) / static_cast<double>(expected);
  std::printf("%s: %zu examples, %zu of %zu strings found, recall %.3f (target %.2f)\n",
              GetParam().task.c_str(), examples, found, expected, recall, GetParam().recall);
  // Fewer examples than the targets were stated for: allow three standard deviations.
  const double n = static_cast<double>(examples);
  const double slack = examples >= 100 ? 0 : 3 * std::sqrt(0.25 * (1 - GetParam().recall) / n);
  EXPECT_GE(recall, GetParam().recall - slack);
}

std::string task_name(const ::testing::TestParamInfo<Target>& info) { return info.param.task; }

INSTANTIATE_TEST_SUITE_P(Tasks, DemoModel,
                         ::testing::Values(Target{"multikey_256", 0.99},
                                           Target{"multikey_512", 0.99},
                                           Target{"multikey_1024", 0.95},
                                           Target{"multiquery_512", 0.88}),
                         task_name);

}  // namespace
}  // namespace unmask
