#include "methods/refresh_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

#include "core/error.h"
#include "methods/method_wrapper.h"
#include "support/method_requests.h"

namespace unmask {
namespace {

using ::testing::HasSubstr;

std::vector<int> list(const Rows& rows) { return {rows.begin(), rows.end()}; }

std::vector<int> range(int begin, int end) { return list(Rows(Range{begin, end})); }

/// A prompt of 8, blocks of 4, 24 positions; nothing is decided but what the test says.
class RefreshRowsTest : public ::testing::Test {
 protected:
  /// Rows of the first pass of block `n`, after a pass over all of each block before.
  std::vector<int> rows(const RefreshOptions& options, int n, bool row_before = false) {
    RefreshRows refresh(options, row_before);
    for (int i = 0; i < n; ++i) {
      const Step first = step(i, 0);
      refresh.computed(first, {.rows = refresh.of(first)});
    }
    return list(refresh.of(step(n, 0)));
  }
  Step step(int block, int in_block, std::span<const int> last_decided = {}) const {
    Step step;
    step.in_block = in_block;
    step.block = {8 + 4 * block, 12 + 4 * block};
    step.prompt_length = 8;
    step.tokens = tokens_;
    step.last_decided = last_decided;
    return step;
  }

  std::vector<TokenId> tokens_ = std::vector<TokenId>(24);
};

TEST_F(RefreshRowsTest, ComputesEverythingUnlessToldOtherwise) {
  for (int n = 0; n < 4; ++n) EXPECT_EQ(rows({}, n), range(0, 24));
}

TEST_F(RefreshRowsTest, AWindowReachesBlocksBackAndAhead) {
  const RefreshOptions o{.window = true, .before = 1, .after = 1};
  EXPECT_EQ(rows(o, 0), range(0, 24));
  EXPECT_EQ(rows(o, 1), range(8, 20));
  EXPECT_EQ(rows(o, 2), range(12, 24));
  EXPECT_EQ(rows(o, 3), range(16, 24));
  EXPECT_EQ(rows({.window = true, .before = 0, .after = 0}, 2), range(16, 20));
  EXPECT_EQ(rows({.window = true, .before = 3, .after = 0}, 1), range(0, 16));
}

TEST_F(RefreshRowsTest, EveryFewBlocksEverythingOrTheWindowOnly) {
  EXPECT_EQ(rows({.window = true, .full_every = 2}, 2), range(0, 24));
  EXPECT_EQ(rows({.window = true, .before = 0, .after = 0, .full_every = 2}, 3), range(20, 24));
  const RefreshOptions rhythm{.window = true, .before = 0, .after = 0, .window_every = 3};
  EXPECT_EQ(rows(rhythm, 1), range(0, 24));
  EXPECT_EQ(rows(rhythm, 2), range(16, 20));
  EXPECT_EQ(rows(rhythm, 3), range(0, 24));
}

TEST_F(RefreshRowsTest, ThePromptAndTheMasksBehindTheBlockMayWait) {
  EXPECT_EQ(rows({.prompt_every = 2}, 1), range(8, 24));
  EXPECT_EQ(rows({.prompt_every = 2}, 2), range(0, 24));
  EXPECT_EQ(rows({.suffix = false}, 1), range(0, 16));
  EXPECT_EQ(rows({.prompt_every = 2, .suffix = false}, 3), range(8, 24));
  EXPECT_EQ(rows({.window = true, .before = 3, .after = 0, .whole_prompt = true}, 1), range(8, 16));
}

TEST_F(RefreshRowsTest, TheRowBeforeTheBlockBelongsToItWhereItPredicts) {
  EXPECT_EQ(rows({.window = true, .before = 0, .after = 0}, 2, true), range(15, 20));
}

TEST_F(RefreshRowsTest, WhatWasDecidedSinceItWasComputedIsComputed) {
  const RefreshOptions o{.window = true, .before = 0, .after = 0};
  RefreshRows refresh(o, false);
  refresh.computed(step(0, 0), {.rows = refresh.of(step(0, 0))});
  const std::vector<int> first{9, 10};
  const std::vector<int> second{8, 11};
  // Step 1 computes what step 0 decided; what it decides itself is stale.
  refresh.computed(step(0, 1, first), {.rows = Rows(Range{8, 12}), .steady = true});
  EXPECT_EQ(list(refresh.of(step(1, 0, second))), (std::vector{8, 11, 12, 13, 14, 15}));
}

TEST_F(RefreshRowsTest, AStepThatIsLeftOutComputesNothing) {
  RefreshRows refresh({.window = true, .before = 0, .after = 0}, false);
  refresh.computed(step(0, 0), {.rows = refresh.of(step(0, 0))});
  const std::vector<int> decided{8, 9, 10, 11};
  Step idle = step(0, 1, decided);
  idle.due = 0;
  refresh.computed(idle, {.rows = Rows(Range{8, 12}), .steady = true});
  EXPECT_EQ(list(refresh.of(step(1, 0))), range(8, 16));
}

TEST_F(RefreshRowsTest, ALongerCanvasHasPositionsThatNeverWereComputed) {
  RefreshRows refresh({.window = true, .before = 0, .after = 0}, false);
  refresh.computed(step(0, 0), {.rows = refresh.of(step(0, 0))});
  tokens_.resize(26);
  EXPECT_EQ(list(refresh.of(step(1, 0))), (std::vector{12, 13, 14, 15, 24, 25}));
}

TEST(RefreshOptions, OfTheWindowTakeAWindow) {
  const auto reason = [](std::string_view text) -> std::string {
    Options options("fast-dllm", text);
    try {
      read_refresh(options);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  };
  EXPECT_THAT(reason("before=2"), HasSubstr("without refresh=window"));
  EXPECT_THAT(reason("after=2,refresh=full"), HasSubstr("without refresh=window"));
  EXPECT_THAT(reason("refresh=window,full_every=2,window_every=2"), HasSubstr("found both"));
  EXPECT_THAT(reason("refresh=half"), HasSubstr("full"));
  EXPECT_EQ(reason("refresh=window,window_every=2,prompt_every=3,suffix=keep"), "");
}

/// Texts and rows of requests on both tiny checkpoints.
class CheapRefresh : public ::testing::TestWithParam<const char*> {
 protected:
  Result run(const std::string& method, int prompt = 19, std::optional<double> threshold = {}) {
    Request r = testing::method_request(model_, method, prompt, 32, 8, 32);
    r.sampler.threshold = threshold;
    return generate(model_.transformer, {&r, 1})[0];
  }

  testing::LoadedModel model_{std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + GetParam(),
                              create_cpu_backend({.threads = 2})};
};
INSTANTIATE_TEST_SUITE_P(Models, CheapRefresh, ::testing::Values("llada-tiny", "dream-tiny"));

TEST_P(CheapRefresh, AWindowOfEverythingIsThePublishedMethod) {
  for (const std::string method :
       {"fast-dllm:cache=dual", "fast-dllm:cache=prefix", "sparse-dllm:keep=0.4",
        "sparse-dllm:keep=0.4,delay=0,kernel=5", "sparse-dllm:prefix_only=true", "maskkv:keep=0.4",
        "maskkv:delay=0", "streaming-dllm:window=6"}) {
    for (const std::optional<double> threshold : {std::optional<double>(), std::optional(0.3)}) {
      const Result published = run(method, 19, threshold);
      const bool streaming = method.starts_with("streaming");
      // The window covers all; or it never opens; maskkv's leaves the prompt out, which it cannot.
      std::vector<std::string> same{",refresh=window,full_every=1"};
      if (!method.starts_with("maskkv")) {
        same.push_back(streaming ? ",refresh=window,before=99"
                                 : ",refresh=window,before=99,after=99");
      }
      for (const std::string& options : same) {
        const Result carried = run(method + options, 19, threshold);
        EXPECT_EQ(carried.tokens, published.tokens) << method << options;
        EXPECT_EQ(carried.rows, published.rows) << method << options;
      }
    }
  }
}

TEST_P(CheapRefresh, CachesThatEvictNothingAreTheCacheThatKeepsAll) {
  for (const std::string options : {"refresh=window,before=0,after=0", "prompt_every=3",
                                    "refresh=window,before=0,full_every=3,suffix=keep"}) {
    for (const std::optional<double> threshold : {std::optional<double>(), std::optional(0.3)}) {
      const Result dual = run("fast-dllm:cache=dual," + options, 19, threshold);
      const Result sparse = run("sparse-dllm:keep=1,delay=0," + options, 19, threshold);
      EXPECT_EQ(sparse.tokens, dual.tokens) << options;
      EXPECT_EQ(sparse.rows, dual.rows) << options;
      const Result voted = run("maskkv:keep=1,delay=0," + options, 19, threshold);
      EXPECT_EQ(voted.tokens, dual.tokens) << options;
    }
  }
  const std::string options = "refresh=window,before=1,full_every=3,prompt_every=2";
  const Result prefix = run("fast-dllm:cache=prefix,after=99," + options);
  EXPECT_EQ(run("streaming-dllm:window=99,alpha=0," + options).tokens, prefix.tokens);
}

TEST_P(CheapRefresh, CountsTheRowsThatArePlanned) {
  const auto rows = [&](const std::string& options) {
    return run("fast-dllm:cache=dual," + options, 40).rows;
  };
  // Of four blocks of eight, without their first passes; Dream's are done a step earlier.
  const int64_t steps = 4 * (model_.config.logit_shift > 0 ? 6 : 7) * 8;
  EXPECT_EQ(rows("refresh=full"), steps + 4 * 72);
  // Block 0: 72; 1: one block back, no masks ahead, and so on; the one before is always in it.
  EXPECT_EQ(rows("refresh=window,before=1,after=0,full_every=99"), steps + 72 + 3 * 16);
  EXPECT_EQ(rows("prompt_every=2"), steps + 2 * 72 + 2 * 32);
  EXPECT_EQ(rows("suffix=keep"), steps + 72 + 56 + 64 + 72);
}

/// Notes whether every decided position is computed again before the next block is begun with it.
class StaleWatch final : public MethodWrapper {
 public:
  StaleWatch(std::unique_ptr<Method> inner, bool& right)
      : MethodWrapper(std::move(inner)), right_(right) {}
  StepPlan plan_step(const Step& step) override {
    StepPlan plan = MethodWrapper::plan_step(step);
    for (const int p : step.last_decided) stale_[p] = true;
    const bool left_out = plan.steady && step.due == 0;
    for (const int p : plan.rows) stale_[p] = stale_[p] && left_out;
    if (step.in_block == 0) {
      for (const auto& [position, stale] : stale_) right_ = right_ && !stale;
    }
    return plan;
  }

 private:
  bool& right_;
  std::map<int, bool> stale_;
};

TEST_P(CheapRefresh, EveryDecidedPositionIsComputedOnceMore) {
  for (const std::string method :
       {"fast-dllm:cache=dual,refresh=window,before=0,after=0", "fast-dllm:prompt_every=4",
        "sparse-dllm:refresh=window,before=0,after=0,suffix=keep",
        "streaming-dllm:window=6,refresh=window,before=0", "maskkv:refresh=window,before=0"}) {
    for (const int steps : {32, 12, 8}) {
      Request r = testing::method_request(model_, method, 19, 32, 8, steps);
      bool right = true;
      r.observe = [&](std::unique_ptr<Method> inner) {
        return std::make_unique<StaleWatch>(std::move(inner), right);
      };
      if (steps == 8) r.sampler.threshold = 0.3;
      generate(model_.transformer, {&r, 1});
      EXPECT_TRUE(right) << method << " in " << steps << " steps";
    }
  }
}

}  // namespace
}  // namespace unmask
