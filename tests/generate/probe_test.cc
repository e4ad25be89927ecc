#include "generate/probe.h"

#include <cmath>
#include <gtest/gtest.h>
#include <numeric>

#include "core/error.h"
#include "generate/single_pass.h"
#include "methods/full.h"
#include "support/model_fixture.h"

namespace unmask {
namespace {

class ProbeTest : public ::testing::TestWithParam<const char*> {
 protected:
  testing::LoadedModel model_{std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + GetParam(),
                              testing::make_backend("reference")};
  Probe probe_{model_.transformer};

  ProbeCanvas canvas(int length, const std::vector<int>& positions) const {
    ProbeCanvas c;
    for (int i = 0; i < length; ++i) c.tokens.push_back((i * 37 + 11) % 400);
    for (const int p : positions) {
      c.tokens[static_cast<size_t>(p)] = model_.config.mask_id;
      c.points.push_back({p, {7, 0, model_.config.vocab_size - 1}});
    }
    return c;
  }

  /// log softmax of all logits of the canvas, written down from its definition.
  std::vector<double> by_hand(const ProbeCanvas& canvas) {
    Full method;
    const auto n = static_cast<int>(canvas.tokens.size());
    std::vector<int> all(canvas.tokens.size());
    std::iota(all.begin(), all.end(), model_.config.logit_shift);
    SinglePass pass(model_.config, method, canvas.tokens, {0, n});
    std::vector<SequencePass> batch{pass.slice(all)};
    const int vocab = model_.config.vocab_size;
    const Tensor hidden = model_.transformer.forward(batch);
    const Buffer memory = model_.backend->allocate(dense_bytes(n, vocab, DType::f32));
    model_.transformer.logits(hidden, memory.view(n, vocab));
    std::vector<float> logits(static_cast<size_t>(n) * static_cast<size_t>(vocab));
    model_.backend->download(memory.view(n, vocab), logits.data());
    std::vector<double> found;
    for (const ProbePoint& point : canvas.points) {
      const int row = std::max(0, point.position - model_.config.logit_shift);
      const float* const of = logits.data() + static_cast<ptrdiff_t>(row) * vocab;
      double sum = 0;
      for (int t = 0; t < vocab; ++t) sum += std::exp(static_cast<double>(of[t]));
      for (const TokenId t : point.tokens) found.push_back(of[t] - std::log(sum));
    }
    return found;
  }
};

TEST_P(ProbeTest, IsTheLogarithmOfASoftmax) {
  const ProbeCanvas c = canvas(90, {3, 4, 20, 89});
  const std::vector<double> found = probe_.log_probabilities({&c, 1});
  const std::vector<double> expected = by_hand(c);
  ASSERT_EQ(found.size(), 12U);
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-5) << i;
}

TEST_P(ProbeTest, ManyPointsNeedSeveralTiles) {
  std::vector<int> positions(150);
  std::iota(positions.begin(), positions.end(), 5);
  const ProbeCanvas c = canvas(160, positions);
  const std::vector<double> found = probe_.log_probabilities({&c, 1});
  const std::vector<double> expected = by_hand(c);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-5) << i;
}

TEST_P(ProbeTest, CanvasesDoNotSeeEachOther) {
  testing::LoadedModel model(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + GetParam(),
                             testing::make_backend("cpu"));  // rows share products there
  Probe probe(model.transformer);
  const std::vector<ProbeCanvas> canvases{canvas(30, {0, 7}), canvas(12, {}), canvas(50, {49})};
  std::vector<double> alone;
  for (const ProbeCanvas& c : canvases) {
    const std::vector<double> found = probe.log_probabilities({&c, 1});
    alone.insert(alone.end(), found.begin(), found.end());
  }
  EXPECT_EQ(alone.size(), 9U);
  EXPECT_EQ(probe.log_probabilities(canvases), alone);
}

TEST_P(ProbeTest, RefusesWhatDoesNotExist) {
  const auto refuse = [this](const std::function<void(ProbeCanvas&)>& spoil) {
    ProbeCanvas c = canvas(20, {4, 9});
    spoil(c);
    EXPECT_THROW(probe_.log_probabilities({&c, 1}), Error);
  };
  refuse([](ProbeCanvas& c) { c.points[1].position = 20; });
  refuse([](ProbeCanvas& c) { c.points[0].position = -1; });
  refuse([](ProbeCanvas& c) { c.points[1].position = 4; });
  refuse([this](ProbeCanvas& c) { c.points[0].tokens[0] = model_.config.vocab_size; });
  refuse([](ProbeCanvas& c) { c.tokens[2] = -5; });
}

INSTANTIATE_TEST_SUITE_P(Models, ProbeTest, ::testing::Values("llada-tiny", "dream-tiny"),
                         [](const auto& model) { return std::string(model.param, 5); });

}  // namespace
}  // namespace unmask
