// dLLM-Cache against the released code: tokens after every call, rows refreshed in every layer,
// logits.
#include "methods/cache_golden.h"
#include "methods/dllm_cache.h"

namespace unmask {
namespace {

const golden::Claim kDllmCacheClaim([](const golden::Case& c) { return c.kind() == "dllm-cache"; });

class GoldenDllmCache : public ::testing::TestWithParam<golden::Case> {};

TEST_P(GoldenDllmCache, GenerationEqualsTheReference) {
  testing::CacheCase c(GetParam());
  const auto& params = c.params();
  c.check_generation(fmt::format("dllm-cache:prompt_interval={},gen_interval={},transfer={}",
                                 params["prompt_interval_steps"].get<int>(),
                                 params["gen_interval_steps"].get<int>(),
                                 params["transfer_ratio"].get<double>()));
}

TEST_P(GoldenDllmCache, RefreshesTheRowsAndGivesTheLogitsOfTheReference) {
  testing::CacheCase c(GetParam());
  auto owner = std::make_unique<DllmCache>(
      DllmCacheOptions{.prompt_interval = c.params()["prompt_interval_steps"],
                       .gen_interval = c.params()["gen_interval_steps"],
                       .transfer = c.params()["transfer_ratio"]});
  const auto refresh_prompt = c.tensor<uint8_t>("refresh_prompt");
  const auto refresh_gen = c.tensor<uint8_t>("refresh_gen");
  const auto transfer = c.has("transfer_idx") ? c.tensor<int>("transfer_idx") : std::vector<int>{};
  const auto logits = c.tensor<float>("logits_cached");
  const auto steps = c.tensor<int>("logits_cached_steps");
  const auto n_layers = static_cast<size_t>(c.model().config.n_layers);
  const size_t k = transfer.size() / n_layers / refresh_gen.size();
  c.replay(std::move(owner), [&](const testing::CacheCase::Call& call) {
    const auto t = static_cast<size_t>(call.index);
    for (size_t layer = 0; layer < n_layers; ++layer) {
      std::vector<int> expected;
      for (int p = 0; p < c.length(); ++p) {
        const bool all = layer == 0 || (p < c.prompt_length() ? refresh_prompt : refresh_gen)[t];
        if (all) expected.push_back(p);
      }
      if (layer > 0 && refresh_gen[t] == 0) {
        for (size_t i = 0; i < k; ++i) {
          expected.push_back(c.prompt_length() + transfer[(t * n_layers + layer) * k + i]);
        }
      }
      EXPECT_EQ(call.layer_rows[layer], expected) << "call " << t << ", layer " << layer;
    }
    for (size_t j = 0; j < steps.size(); ++j) {
      if (steps[j] != call.index) continue;
      const Rows rows(Range{c.prompt_length(), c.prompt_length() + 32});
      const size_t part = logits.size() / steps.size();
      c.expect_logits(call, {rows.begin(), rows.end()}, std::span(logits).subspan(j * part, part));
    }
  });
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenDllmCache);
INSTANTIATE_TEST_SUITE_P(Cases, GoldenDllmCache, ::testing::ValuesIn(kDllmCacheClaim.cases()),
                         golden::test_name);

}  // namespace
}  // namespace unmask
