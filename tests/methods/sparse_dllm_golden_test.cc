// Sparse-dLLM against the released code: tokens after every call, rows fed, positions kept in every
// layer, logits over the kept positions.
#include "methods/cache_golden.h"
#include "methods/sparse_dllm.h"

namespace unmask {
namespace {

const golden::Claim kSparseDllmClaim([](const golden::Case& c) {
  return c.kind() == "sparse-dllm";
});

class GoldenSparseDllm : public ::testing::TestWithParam<golden::Case> {};

int kernel_of(const testing::CacheCase& c) {
  const auto& kernel = c.params()["kernel_size"];
  return kernel.is_null() ? 1 : kernel.get<int>();
}

std::string spec_of(const testing::CacheCase& c) {
  return fmt::format("sparse-dllm:keep={},kernel={}", c.params()["keep_ratio"].get<double>(),
                     kernel_of(c));
}

TEST_P(GoldenSparseDllm, GenerationEqualsTheReference) {
  testing::CacheCase c(GetParam());
  c.check_generation(spec_of(c));
}

TEST_P(GoldenSparseDllm, DraftsChangeNoStep) {
  testing::CacheCase c(GetParam());
  c.check_drafts(spec_of(c));
}

TEST_P(GoldenSparseDllm, KeepsThePositionsAndGivesTheLogitsOfTheReference) {
  testing::CacheCase c(GetParam());
  auto owner = std::make_unique<SparseDllm>(SparseDllmOptions{.keep = c.params()["keep_ratio"],
                                                              .kernel = kernel_of(c),
                                                              .steps = {.first_alone = c.dream()}});
  const SparseDllm& method = *owner;
  const auto kept = c.has("kept") ? c.tensor<int>("kept") : std::vector<int>{};
  const auto logits =
      c.has("logits_cached") ? c.tensor<float>("logits_cached") : std::vector<float>{};
  const int n_layers = c.model().config.n_layers;
  size_t at = 0;
  size_t block = 0;
  c.replay(std::move(owner), [&](const testing::CacheCase::Call& call) {
    if (call.step.in_block == 1) {
      for (int layer = 0; layer < n_layers; ++layer) {
        const auto n = static_cast<size_t>(method.kept(layer).size());
        ASSERT_LE(at + n, kept.size());
        EXPECT_TRUE(std::equal(method.kept(layer).begin(), method.kept(layer).end(),
                               kept.begin() + static_cast<std::ptrdiff_t>(at)))
            << "call " << call.index << ", layer " << layer;
        at += n;
      }
    }
    if (call.step.in_block == 2 && !logits.empty()) {
      const Rows rows(call.step.block);
      const size_t part =
          static_cast<size_t>(rows.size()) * static_cast<size_t>(c.model().config.vocab_size);
      c.expect_logits(call, {rows.begin(), rows.end()},
                      std::span(logits).subspan(block++ * part, part));
    }
  });
  EXPECT_EQ(at, kept.size());
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenSparseDllm);
INSTANTIATE_TEST_SUITE_P(Cases, GoldenSparseDllm, ::testing::ValuesIn(kSparseDllmClaim.cases()),
                         golden::test_name);

}  // namespace
}  // namespace unmask
