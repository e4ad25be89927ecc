// Fast-dLLM against the released code: tokens after every call, rows fed, logits of cached calls.
// Its cases without a cache are the full method under a threshold or a factor.
#include "methods/cache_golden.h"
#include "methods/fast_dllm.h"

namespace unmask {
namespace {

const golden::Claim kFastDllmClaim([](const golden::Case& c) { return c.kind() == "fast-dllm"; });

class GoldenFastDllm : public ::testing::TestWithParam<golden::Case> {};

enum class Cache : uint8_t { none, prefix, dual };

Cache cache_of(const testing::CacheCase& c) {
  const auto& params = c.params();
  if (c.dream()) {
    if (params["block_length"].is_null()) return Cache::none;
    return params["dual_cache"].get<bool>() ? Cache::dual : Cache::prefix;
  }
  const std::string cache = params["cache"];
  return cache == "none" ? Cache::none : (cache == "dual" ? Cache::dual : Cache::prefix);
}

std::string method_of(const testing::CacheCase& c) {
  switch (cache_of(c)) {
    case Cache::none: break;
    case Cache::prefix: return "fast-dllm:cache=prefix";
    case Cache::dual: return "fast-dllm:cache=dual";
  }
  return "full";
}

TEST_P(GoldenFastDllm, GenerationEqualsTheReference) {
  testing::CacheCase c(GetParam());
  c.check_generation(method_of(c));
}

TEST_P(GoldenFastDllm, DraftsChangeNoStep) {
  testing::CacheCase c(GetParam());
  c.check_drafts(method_of(c));
}

TEST_P(GoldenFastDllm, LogitsOfCachedCallsEqualTheReference) {
  testing::CacheCase c(GetParam());
  if (!c.has("logits_cached")) return;
  auto owner = std::make_unique<FastDllm>(
      FastDllmOptions{.dual = cache_of(c) == Cache::dual, .first_alone = c.dream()});
  const auto expected = c.tensor<float>("logits_cached");
  const auto blocks = c.tensor<int>("logits_cached_block");
  const size_t part = expected.size() / blocks.size();
  c.replay(std::move(owner), [&](const testing::CacheCase::Call& call) {
    if (call.step.in_block != 1) return;
    const Rows block(call.step.block);
    for (size_t i = 0; i < blocks.size(); ++i) {
      if (c.prompt_length() + blocks[i] * block.size() != call.step.block.begin) continue;
      c.expect_logits(call, {block.begin(), block.end()},
                      std::span(expected).subspan(i * part, part));
    }
  });
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenFastDllm);
INSTANTIATE_TEST_SUITE_P(Cases, GoldenFastDllm, ::testing::ValuesIn(kFastDllmClaim.cases()),
                         golden::test_name);

}  // namespace
}  // namespace unmask
