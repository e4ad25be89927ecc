#include "generate/alternatives.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "generate/engine.h"
#include "generate/probe.h"
#include "support/method_requests.h"

namespace unmask {
namespace {

TEST(Alternatives, AreSortedAndComplete) {
  const std::vector<float> logits{0, 2, 1, 2};
  const Alternatives found = find_alternatives(logits, 2, 3);
  const double whole = std::log(std::exp(0.0) + 2 * std::exp(2.0) + std::exp(1.0));
  EXPECT_FLOAT_EQ(found.log_probability, static_cast<float>(1 - whole));
  ASSERT_EQ(found.top.size(), 3);
  EXPECT_EQ(found.top[0].token, 1);
  EXPECT_EQ(found.top[1].token, 3);
  EXPECT_EQ(found.top[2].token, 2);
  EXPECT_FLOAT_EQ(found.top[0].log_probability, static_cast<float>(2 - whole));
  EXPECT_EQ(find_alternatives(logits, 0, 9).top.size(), 4);
  EXPECT_TRUE(find_alternatives(logits, 0, 0).top.empty());
}

/// What the engine tells is what a pass over the canvas before the step says.
TEST(Alternatives, AreThoseOfTheStepThatDecided) {
  testing::LoadedModel model(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny",
                             testing::make_backend("cpu"));
  Request request = testing::method_request(model, "full", 5, 8, 8, 4);
  request.sampler.temperature = 0.5;
  request.alternatives = 2;
  std::vector<TokenId> before = request.tokens;
  int seen = 0;
  Engine engine(model.transformer);
  std::vector<ProbeCanvas> canvases;
  std::vector<float> told;
  engine.submit(request, [&](const StepEvent& event) {
    EXPECT_EQ(event.alternatives.size(), event.decided.size());
    for (size_t i = 0; i < event.decided.size(); ++i) {
      const Decision& d = event.decided[i];
      canvases.push_back({before, {{d.position, {d.token}}}});
      told.push_back(event.alternatives[i].log_probability);
      EXPECT_EQ(event.alternatives[i].top.size(), 2);
      ++seen;
    }
    before.assign(event.tokens.begin(), event.tokens.end());
    return true;
  });
  while (engine.step()) {
  }
  EXPECT_EQ(seen, 8);
  const std::vector<double> probed = Probe(model.transformer).log_probabilities(canvases);
  for (size_t i = 0; i < told.size(); ++i) EXPECT_NEAR(told[i], probed[i], 1e-4);
}

}  // namespace
}  // namespace unmask
