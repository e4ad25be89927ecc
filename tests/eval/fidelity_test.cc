#include "eval/fidelity.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "eval/seen_keys.h"
#include "support/block_causal.h"
#include "support/model_fixture.h"

namespace unmask {
namespace {

testing::LoadedModel load_one_thread(const std::string& name) {
  return {std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + name, create_cpu_backend({.threads = 1})};
}

Request request(const testing::LoadedModel& model, const std::string& method) {
  std::vector<TokenId> prompt;
  for (int i = 0; i < 40; ++i) prompt.push_back((i * 37 + 11) % 400);
  Request r = append_masks(prompt, 24, model.config.mask_id);
  r.steps = 12;
  r.method = method;
  if (model.config.family == Family::dream) r.sampler.algorithm = Algorithm::entropy;
  return r;
}

Fidelity measure(testing::LoadedModel& model, const std::string& method) {
  const Request full = request(model, "full");
  const Result reference = generate(model.transformer, {&full, 1})[0];
  return measure_fidelity(model.transformer, request(model, method), reference);
}

TEST(Fidelity, OfWhatKeepsEverythingIsPerfect) {
  for (const char* name : {"llada-tiny", "dream-tiny"}) {
    auto model = load_one_thread(name);
    for (const char* method :
         {"full", "sparsed:select=1,skip=0,block=8", "sliding-window:share=1"}) {
      const Fidelity fidelity = measure(model, method);
      EXPECT_EQ(fidelity.token_agreement, 1) << method;
      EXPECT_EQ(fidelity.step_agreement, 1) << method;
      EXPECT_NEAR(fidelity.output_error, 0, 1e-12) << method;
      EXPECT_NEAR(fidelity.mean_retained_mass(), 1, 1e-9) << method;
      EXPECT_EQ(fidelity.retained_mass.size(),
                static_cast<size_t>(model.config.n_layers * model.config.n_heads));
    }
  }
}

TEST(Fidelity, FallsWithWhatIsLeftOut) {
  for (const char* name : {"llada-tiny", "dream-tiny"}) {
    auto model = load_one_thread(name);
    double last_mass = 1;
    double last_error = 0;
    for (const char* keep : {"0.9", "0.5", "0"}) {
      const Fidelity fidelity = measure(model, fmt::format("sparse-dllm:keep={}", keep));
      EXPECT_LT(fidelity.mean_retained_mass(), last_mass) << keep;
      EXPECT_GT(fidelity.output_error, last_error) << keep;
      last_mass = fidelity.mean_retained_mass();
      last_error = fidelity.output_error;
    }
  }
}

TEST(Fidelity, CountsWhatCachesAndPatternsShow) {
  auto model = load_one_thread("llada-tiny");
  // Everything is at hand, though it is old: no key is missing.
  EXPECT_NEAR(measure(model, "fast-dllm:cache=dual").mean_retained_mass(), 1, 1e-9);
  EXPECT_NEAR(measure(model, "dllm-cache").mean_retained_mass(), 1, 1e-9);
  const double window = measure(model, "sliding-window:window=8,block=8").mean_retained_mass();
  EXPECT_GT(window, 0);
  EXPECT_LT(window, 0.9);
}

TEST(Fidelity, OfBlockCausalModelsIsThatOfTheKeysTheySee) {
  testing::BlockCausal model("llada-tiny", 8);
  const auto measure_on_blocks = [&](const std::string& method) {
    const Request full = model.request("full", 24, 16, 8, 8);
    return measure_fidelity(model.transformer(), model.request(method, 24, 16, 8, 8),
                            model.run(full));
  };
  const Fidelity exact = measure_on_blocks("block-cache");
  EXPECT_EQ(exact.token_agreement, 1);
  EXPECT_NEAR(exact.mean_retained_mass(), 1, 1e-9);
  EXPECT_NEAR(exact.output_error, 0, 1e-9);
  const Fidelity half = measure_on_blocks("sparse-dllm:keep=0.5,delay=0");
  EXPECT_LT(half.mean_retained_mass(), 1);
  EXPECT_GT(half.mean_retained_mass(),
            measure_on_blocks("sparse-dllm:keep=0,delay=0").mean_retained_mass());
}

TEST(Fidelity, RefusesWhatCannotAgree) {
  auto model = load_one_thread("llada-tiny");
  const Request full = request(model, "full");
  const Result reference = generate(model.transformer, {&full, 1})[0];
  Request hot = full;
  hot.sampler.temperature = 1;
  EXPECT_THROW(measure_fidelity(model.transformer, hot, reference), Error);
  Request guided = full;
  guided.cfg_scale = 1;
  EXPECT_THROW(measure_fidelity(model.transformer, guided, reference), Error);
}

TEST(SeenKeys, FollowPatternAndCache) {
  SeenKeys keys{.positions = {{0, 1, 2, 3, 4, 5}, {1, 4}}, .pattern = std::nullopt};
  EXPECT_EQ(keys.seen_by(0, 1, 1, 6), (std::vector<bool>{false, true, false, false, true, false}));
  BlockPattern pattern(2, 1, 3);
  for (const uint16_t block : {0, 2, 1}) pattern.append({&block, 1});
  keys.pattern = pattern;
  EXPECT_EQ(keys.seen_by(3, 0, 0, 6), (std::vector<bool>{false, false, false, false, true, true}));
  EXPECT_EQ(keys.seen_by(4, 0, 1, 6), (std::vector<bool>(6, false)));
}

}  // namespace
}  // namespace unmask
