// A model whose feed-forward is made of experts.
#include <gtest/gtest.h>

#include "support/method_requests.h"

namespace unmask {
namespace {

const std::string kCheckpoints = std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/";

TEST(ExpertLayers, AreADenseLayerWhereEveryRowTakesItAsItsExpert) {
  for (const std::string backend : {"reference", "cpu"}) {
    testing::LoadedModel model(kCheckpoints + "llada-tiny", testing::make_backend(backend));
    const Request r = testing::method_request(model, "fast-dllm", 13, 16, 8, 16);
    const std::vector<TokenId> dense = generate(model.transformer, {&r, 1})[0].tokens;
    testing::LoadedModel other(kCheckpoints + "dream-tiny", testing::make_backend(backend));
    ASSERT_EQ(other.config.dim, model.config.dim);
    const Buffer router = model.backend->allocate(2 * static_cast<size_t>(model.config.dim) * 4);
    const std::vector<float> zeros(2 * static_cast<size_t>(model.config.dim));
    model.backend->upload(zeros.data(), router.view(2, model.config.dim));
    for (size_t l = 0; l < model.weights.layers.size(); ++l) {
      // Both experts are equally probable, so the first is taken, with half a weight times two.
      ExpertWeights experts;
      experts.router = router.view(2, model.config.dim);
      experts.routing.scale = 2;
      auto& ffn = model.weights.layers[l].ffn;
      experts.experts.push_back(std::move(std::get<GatedWeights>(ffn)));
      experts.experts.push_back(std::move(
          std::get<GatedWeights>(other.weights.layers[l % other.weights.layers.size()].ffn)));
      ffn = std::move(experts);
    }
    EXPECT_EQ(generate(model.transformer, {&r, 1})[0].tokens, dense) << backend;
    for (auto& layer : model.weights.layers)
      std::get<ExpertWeights>(layer.ffn).routing.scale = 0.5F;
    EXPECT_NE(generate(model.transformer, {&r, 1})[0].tokens, dense) << backend;
  }
}

}  // namespace
}  // namespace unmask
