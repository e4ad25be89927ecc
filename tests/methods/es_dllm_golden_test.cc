// ES-dLLM against the released code: tokens and confidences after every call, rows that the layers
// computed.
#include "methods/cache_golden.h"

namespace unmask {
namespace {

const golden::Claim kEsDllmClaim([](const golden::Case& c) { return c.kind() == "es-dllm"; });

class GoldenEsDllm : public ::testing::TestWithParam<golden::Case> {};

TEST_P(GoldenEsDllm, GenerationEqualsTheReference) {
  testing::CacheCase c(GetParam());
  const auto& params = c.params();
  // Pairs of the share of rows and the share of layers from which on it holds; the first is (1, 0).
  const auto& skips = params["proportion_steps"];
  c.check_generation(fmt::format(
      "es-dllm:alpha={},block_update={},prompt_update={},first_keep={},first_at={},second_keep={},"
      "second_at={}",
      params["alpha"].get<double>(), params["block_update_freq"].get<int>(),
      params["prompt_update_freq"].get<int>(), skips[1][0].get<double>(), skips[1][1].get<double>(),
      skips[2][0].get<double>(), skips[2][1].get<double>()));
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenEsDllm);
INSTANTIATE_TEST_SUITE_P(Cases, GoldenEsDllm, ::testing::ValuesIn(kEsDllmClaim.cases()),
                         golden::test_name);

}  // namespace
}  // namespace unmask
