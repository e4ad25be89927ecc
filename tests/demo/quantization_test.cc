// What quantized weights change: logits and answers of the embedded model against bfloat16.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "io/text/chat_template.h"
#include "methods/full.h"
#include "session/model.h"

namespace unmask {
namespace {

struct Loss {
  WeightType weights;
  double logits;  // most that the root mean square error may be, relative to the logits' own
  double tokens;  // least share of equal tokens in the answers
};

constexpr int kGenerated = 32;
constexpr int kExamples = 2;  // a task

std::vector<Request> requests(Model& model) {
  std::vector<Request> all;
  for (const char* task : {"multikey_256", "multikey_512", "multiquery_512"}) {
    std::ifstream file(std::string(UNMASK_DEMO_EXAMPLES_DIRECTORY) + "/" + task + ".jsonl");
    std::string line;
    for (int i = 0; i < kExamples && std::getline(file, line); ++i) {
      std::vector<ChatMessage> messages;
      const auto example = nlohmann::json::parse(line);
      for (const auto& m : example["messages"]) {
        messages.push_back({.role = m["role"], .content = m["content"]});
      }
      Request request =
          append_masks(model.tokenizer().encode(ChatTemplate::built_in("llada").render(messages)),
                       kGenerated, model.config().mask_id);
      request.block_length = kGenerated;
      request.steps = kGenerated / 2;
      request.eos_ids = model.config().stop_ids;
      all.push_back(std::move(request));
    }
  }
  return all;
}

/// Logits of the masked positions in the first step.
std::vector<float> first_logits(Model& model, const Request& request) {
  Full method;
  std::vector<KvStore> stores(static_cast<size_t>(model.config().n_layers));
  Step step;
  step.block = request.generated();
  step.tokens = request.tokens;
  step.mask_id = model.config().mask_id;
  std::vector<SequencePass> batch;
  batch.push_back({step, method.plan_step(step), &method, &stores, Rows(request.generated())});
  const Tensor hidden = model.transformer().forward(batch);
  std::vector<float> logits(static_cast<size_t>(hidden.rows) *
                            static_cast<size_t>(model.config().vocab_size));
  const Buffer buffer = model.backend().allocate(logits.size() * sizeof(float));
  model.transformer().logits(hidden, buffer.view(hidden.rows, model.config().vocab_size));
  std::copy_n(static_cast<const float*>(buffer.data()), logits.size(), logits.begin());
  return logits;
}

class QuantizedDemo : public ::testing::TestWithParam<Loss> {};

TEST_P(QuantizedDemo, AnswersAsBfloat16Does) {
  Model exact(UNMASK_DEMO_DIRECTORY, {.weights = WeightType::bf16});
  Model rounded(UNMASK_DEMO_DIRECTORY, {.weights = GetParam().weights});
  double error = 0;
  double size = 0;
  int equal = 0;
  int tokens = 0;
  for (const Request& request : requests(exact)) {
    const auto a = first_logits(exact, request);
    const auto b = first_logits(rounded, request);
    for (size_t i = 0; i < a.size(); ++i) {
      error += std::pow(static_cast<double>(a[i]) - b[i], 2);
      size += std::pow(a[i], 2.0);
    }
    const Result wanted = generate(exact.transformer(), {&request, 1}).front();
    const Result found = generate(rounded.transformer(), {&request, 1}).front();
    for (int p = request.prompt_length; p < wanted.answer.end; ++p) {
      const auto i = static_cast<size_t>(p);
      equal += static_cast<int>(wanted.tokens[i] == found.tokens[i]);
      ++tokens;
    }
  }
  ASSERT_GT(tokens, 0);
  const double relative = std::sqrt(error / size);
  const double agreement = static_cast<double>(equal) / tokens;
  std::printf("%s: logit error %.4f, %d of %d tokens agree\n",
              std::string(weight_type_name(GetParam().weights)).c_str(), relative, equal, tokens);
  EXPECT_LT(relative, GetParam().logits);
  EXPECT_GE(agreement, GetParam().tokens);
}

std::string type_name(const ::testing::TestParamInfo<Loss>& loss) {
  return std::string(weight_type_name(loss.param.weights));
}

INSTANTIATE_TEST_SUITE_P(Types, QuantizedDemo,
                         ::testing::Values(Loss{WeightType::int8, 0.02, 0.97},
                                           Loss{WeightType::int4, 0.1, 0.9}),
                         type_name);

}  // namespace
}  // namespace unmask
