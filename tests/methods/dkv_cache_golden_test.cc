// dKV-Cache against the released code: tokens after every call, rows fed, logits of partial calls.
#include "methods/cache_golden.h"
#include "methods/registry.h"

namespace unmask {
namespace {

const golden::Claim kDkvCacheClaim([](const golden::Case& c) { return c.kind() == "dkv-cache"; });

class GoldenDkvCache : public ::testing::TestWithParam<golden::Case> {};

/// The method's description for a user.
std::string spec_of(const golden::Case& c) {
  const auto& params = c.json["params"];
  const std::string variant = c.json["variant"];
  std::string spec = "dkv-cache:variant=" + variant;
  if (c.json["family"] != "dream") {
    spec += fmt::format(",refresh={}", params["cache_reloading_step"].get<int>());
    if (variant == "greedy") spec += fmt::format(",window={}", params["window_size"].get<int>());
  } else if (variant != "prefill") {
    spec += fmt::format(",refresh={},shift={}", params["cache_steps"].get<int>(),
                        params["shift_type"].get<std::string>());
  }
  return spec;
}

TEST_P(GoldenDkvCache, GenerationEqualsTheReference) {
  testing::CacheCase(GetParam()).check_generation(spec_of(GetParam()));
}

TEST_P(GoldenDkvCache, FeedsTheRowsAndGivesTheLogitsOfTheReference) {
  testing::CacheCase c(GetParam());
  auto method = create_method(spec_of(GetParam()), {c.model().config, 0});
  const auto fed = c.tensor<uint8_t>("fed");
  const auto steps = c.tensor<int>("logits_cached_steps");
  c.replay(std::move(method), [&](const testing::CacheCase::Call& call) {
    std::vector<int> expected;
    for (int p = 0; p < c.length(); ++p) {
      const size_t at = static_cast<size_t>(call.index) * static_cast<size_t>(c.length()) +
                        static_cast<size_t>(p);
      if (fed[at] != 0) expected.push_back(p);
    }
    EXPECT_EQ(call.plan.rows, Rows(expected)) << "call " << call.index;
    for (size_t j = 0; j < steps.size(); ++j) {
      if (steps[j] != call.index) continue;
      const std::string name = fmt::format("logits_cached_{}", j);
      c.expect_logits(call, c.tensor<int>(name + "_pos"), c.tensor<float>(name));
    }
  });
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenDkvCache);
INSTANTIATE_TEST_SUITE_P(Cases, GoldenDkvCache, ::testing::ValuesIn(kDkvCacheClaim.cases()),
                         golden::test_name);

}  // namespace
}  // namespace unmask
