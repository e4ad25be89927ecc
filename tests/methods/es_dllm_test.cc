// es-dllm against an implementation of its own, decision for decision, and against the block cache
// that it is without skipping.
#include "methods/es_dllm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

#include "methods/es_dllm_twin.h"
#include "session/costs.h"
#include "support/error_of.h"
#include "support/method_requests.h"

namespace unmask {
namespace {

using testing::EsDllmTwinRequest;
using ::testing::HasSubstr;
using testing::PlainChoice;

using Steps = std::vector<std::vector<Decision>>;

class EsDllmTest : public ::testing::TestWithParam<const char*> {
 protected:
  Request request(const std::string& method, int prompt, int length, int block) const {
    return testing::method_request(model_, method, prompt, length, block, length);
  }
  Steps run(const Request& r) {
    Steps steps;
    generate(model_.transformer, {&r, 1}, [&](const StepEvent& event) {
      steps.emplace_back(event.decided.begin(), event.decided.end());
      return true;
    });
    return steps;
  }
  /// Runs the method and its twin and returns how many steps they took.
  int expect_equal(const EsDllmTwinRequest& sizes, int prompt, int length) {
    std::string method = fmt::format("es-dllm:alpha={},block_update={},prompt_update={}",
                                     sizes.alpha, sizes.block_update, sizes.prompt_update);
    const double layers = model_.config.n_layers;
    const auto& [first, second] = std::pair(sizes.skips.front(), sizes.skips.back());
    method += fmt::format(",first_at={},first_keep={},second_at={},second_keep={}",
                          first.layer / layers, first.keep, second.layer / layers, second.keep);
    Request r = request(method, prompt, length, sizes.block_length);
    r.sampler.threshold = sizes.threshold;
    const Steps found = run(r);
    EsDllmTwinRequest asked = sizes;
    asked.tokens = r.tokens;
    asked.prompt_length = prompt;
    const std::vector<std::vector<PlainChoice>> expected = es_dllm_twin(twin_, asked);
    EXPECT_EQ(found.size(), expected.size()) << method;
    for (size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
      expect_equal(found[i], expected[i], fmt::format("{} step {}", method, i));
    }
    return static_cast<int>(expected.size());
  }

  testing::LoadedModel model_{std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + GetParam(),
                              create_cpu_backend({.threads = 2})};
  testing::PlainModel twin_{model_.checkpoint, model_.config};
  std::set<TokenId> seen_;

 private:
  void expect_equal(const std::vector<Decision>& found, const std::vector<PlainChoice>& expected,
                    const std::string& where) {
    ASSERT_EQ(found.size(), expected.size()) << where;
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].position, expected[i].position) << where;
      EXPECT_EQ(found[i].token, expected[i].token) << where;
      EXPECT_NEAR(found[i].confidence, expected[i].probability, 1e-4) << where;
      seen_.insert(found[i].token);
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Models, EsDllmTest, ::testing::Values("llada-tiny", "dream-tiny"),
                         [](const auto& param) { return std::string(param.param).substr(0, 5); });

TEST_P(EsDllmTest, EqualsItsTwin) {
  const std::vector<EsDllmTwinRequest::Skip> paper{{1, 0.25}};  // both cuts of four layers
  const std::vector<EsDllmTwinRequest::Skip> apart{{0, 0.6}, {2, 0.3}};
  EsDllmTwinRequest sizes{.block_length = 16,
                          .threshold = 0.15,
                          .alpha = 0.5,
                          .block_update = 4,
                          .prompt_update = 32,
                          .skips = paper};
  int steps = expect_equal(sizes, 13, 48);
  sizes.skips = apart;
  sizes.threshold = 1;          // one token a step
  expect_equal(sizes, 13, 20);  // the last block is shorter
  sizes = {.block_length = 8,
           .threshold = 0.2,
           .alpha = 0.2,
           .block_update = 100,
           .prompt_update = 16,
           .skips = apart};
  steps += expect_equal(sizes, 7, 36);
  EXPECT_GE(seen_.size(), 8U) << "texts too dull to show a difference";
  EXPECT_LT(steps, 48 + 36) << "no step decided several tokens";
}

TEST_P(EsDllmTest, SkippingChangesTheText) {
  const auto text = [&](const std::string& options) {
    std::vector<TokenId> tokens;
    for (const auto& step : run(request("es-dllm:" + options, 21, 64, 32))) {
      for (const Decision& d : step) tokens.push_back(d.token);
    }
    return tokens;
  };
  EXPECT_NE(text("block_update=64"), text("first_keep=1,second_keep=1"));
  EXPECT_EQ(text("block_update=1"), text("first_keep=1,second_keep=1"));
}

TEST_P(EsDllmTest, CountsTheRowsThatItsLayersCompute) {
  // 16 positions with a mask each; of four layers, the last two compute a quarter of a skipping
  // pass.
  const Request r = request("es-dllm:block_update=4,prompt_update=16", 21, 32, 16);
  std::vector<int> rows;
  generate(model_.transformer, {&r, 1}, [&](const StepEvent& event) {
    rows.push_back(event.rows);
    return true;
  });
  ASSERT_GE(rows.size(), 17U);
  EXPECT_EQ(rows[0], 53);
  EXPECT_EQ(rows[1], 10);
  EXPECT_EQ(rows[3], 10);
  EXPECT_EQ(rows[4], 16);
  const int last = model_.config.logit_shift > 0 ? 52 : 53;
  EXPECT_EQ(rows[16], last) << "from the prompt to the block's end";
  const Explanation plan = Costs(model_.config, {4}).explain(r);
  EXPECT_EQ(plan.steps[1].rows, 10);
  EXPECT_LT(plan.steps[1].work.product_operations, plan.steps[4].work.product_operations * 0.75);
}

TEST_P(EsDllmTest, AStepThatHasToDecideMuchFindsAsManyMasks) {
  for (const int steps : {2, 3, 5}) {
    Request r = request("es-dllm:block_update=100,prompt_update=100", 9, 48, 16);
    r.steps = 3 * steps;
    const Result result = generate(model_.transformer, {&r, 1})[0];
    EXPECT_EQ(result.masks_left, 0) << steps;
    EXPECT_EQ(result.steps, 3 * steps);
  }
}

TEST_P(EsDllmTest, BothPassesOfGuidanceSkipTheSameRows) {
  Request r = request("es-dllm:block_update=8", 21, 32, 16);
  r.cfg_scale = 0.6;
  r.sampler.threshold = 0.3;
  const Result alone = generate(model_.transformer, {&r, 1})[0];
  EXPECT_EQ(alone.masks_left, 0);
  const std::vector<Request> three{r, request("full", 5, 8, 8), r};
  const std::vector<Result> batch = generate(model_.transformer, three);
  EXPECT_EQ(batch[0].tokens, alone.tokens);
  EXPECT_EQ(batch[2].tokens, alone.tokens);
  EXPECT_EQ(batch[2].rows, alone.rows);
}

TEST_P(EsDllmTest, RefusesSamplersThatReadEveryPosition) {
  const auto reason = [&](const Request& r) { return testing::error_of([&] { run(r); }); };
  Request r = request("es-dllm", 5, 8, 8);
  r.sampler.algorithm = Algorithm::random;
  EXPECT_THAT(reason(r), HasSubstr("found algorithm random"));
  r = request("es-dllm", 5, 8, 8);
  r.sampler.threshold = 0.5;
  r.sampler.editing = Editing{};
  EXPECT_THAT(reason(r), HasSubstr("editing"));
  EXPECT_THAT(reason(request("es-dllm:first_at=0.5", 5, 8, 8)), HasSubstr("second_at"));
  EXPECT_THAT(reason(request("es-dllm:alpha=2", 5, 8, 8)), HasSubstr("alpha"));
}

TEST(EsDllm, WithoutSkippingItIsTheDualCacheThatKeepsItsSuffix) {
  testing::LoadedModel model(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny",
                             create_cpu_backend({.threads = 2}));
  for (const int block : {8, 16}) {
    for (const bool dynamic : {false, true}) {
      const auto run = [&](const std::string& method) {
        Request r = testing::method_request(model, method, 21, 32, block, 32);
        if (dynamic) r.sampler.threshold = 0.2;
        return generate(model.transformer, {&r, 1})[0];
      };
      const Result skipping =
          run(fmt::format("es-dllm:first_keep=1,second_keep=1,prompt_update={}", block));
      const Result cache = run("fast-dllm:cache=dual,suffix=keep");
      EXPECT_EQ(skipping.tokens, cache.tokens) << block;
      EXPECT_EQ(skipping.rows, cache.rows) << block;
    }
  }
}

}  // namespace
}  // namespace unmask
