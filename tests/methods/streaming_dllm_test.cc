// streaming-dllm against an implementation of its own, token for token.
#include <gtest/gtest.h>
#include <set>

#include "methods/streaming_dllm_twin.h"
#include "support/method_requests.h"

namespace unmask {
namespace {

struct Sizes {
  int prompt, gen_length, block, window;
  double alpha, threshold;
};

class StreamingDllmTest : public ::testing::TestWithParam<const char*> {
 protected:
  /// What both give, told what ends a text.
  void expect_equal(const Sizes& s, const std::vector<TokenId>& ends) {
    const std::string method = fmt::format("streaming-dllm:window={},alpha={}", s.window, s.alpha);
    Request r =
        testing::method_request(model_, method, s.prompt, s.gen_length, s.block, s.gen_length);
    r.sampler.threshold = s.threshold;
    r.eos_ids = ends;
    last_ = generate(model_.transformer, {&r, 1})[0];
    EXPECT_EQ(last_.tokens, streaming_dllm_twin(twin_, {.tokens = r.tokens,
                                                        .prompt_length = r.prompt_length,
                                                        .block_length = r.block_length,
                                                        .window = s.window,
                                                        .alpha = s.alpha,
                                                        .threshold = s.threshold,
                                                        .ends = ends}))
        << method << " prompt " << s.prompt << " threshold " << s.threshold;
  }

  testing::LoadedModel model_{std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + GetParam(),
                              create_cpu_backend({.threads = 2})};
  testing::PlainModel twin_{model_.checkpoint, model_.config};
  Result last_;
};

TEST_P(StreamingDllmTest, EqualsItsTwin) {
  std::set<TokenId> seen;
  int steps = 0;
  for (const Sizes& s : {Sizes{13, 24, 8, 8, 0.3, 0.2}, Sizes{10, 32, 8, 0, 0.6, 0.3},
                         Sizes{3, 24, 12, 5, 1, 0.9}, Sizes{20, 16, 16, 4, 0, 0.1}}) {
    expect_equal(s, {});
    seen.insert(last_.tokens.begin() + s.prompt, last_.tokens.end());
    steps += last_.steps;
  }
  EXPECT_GT(seen.size(), 10U) << "texts too dull to show a difference";
  EXPECT_LT(steps, 24 + 32 + 24 + 16) << "no step decided several tokens";
}

TEST_P(StreamingDllmTest, StopsWhereItsTwinStops) {
  const Sizes s{13, 32, 8, 6, 0.5, 0.3};
  expect_equal(s, {});
  const std::vector<TokenId> whole = last_.tokens;
  for (const size_t end : {13, 17, 24}) {  // in the first two of four blocks
    expect_equal(s, {whole[end]});
    EXPECT_TRUE(last_.stopped_early) << end;
    EXPECT_EQ(last_.tokens.back(), whole[end]) << end;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, StreamingDllmTest, ::testing::Values("llada-tiny", "dream-tiny"),
                         [](const auto& param) { return std::string(param.param).substr(0, 5); });

}  // namespace
}  // namespace unmask
