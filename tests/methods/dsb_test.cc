#include "methods/dsb.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "methods/method_wrapper.h"
#include "support/method_requests.h"

namespace unmask {
namespace {

constexpr int kSlidPrompt = 19;
constexpr int kSlidLength = 40;
constexpr int kSlidBlock = 8;

/// What a step was asked for.
struct SeenWindow {
  std::vector<TokenId> tokens;
  Range window;
  Rows rows;
};

class WindowSpy final : public MethodWrapper {
 public:
  WindowSpy(std::unique_ptr<Method> inner, std::vector<SeenWindow>& seen)
      : MethodWrapper(std::move(inner)), seen_(seen) {}
  StepPlan plan_step(const Step& step) override {
    StepPlan plan = MethodWrapper::plan_step(step);
    seen_.push_back({{step.tokens.begin(), step.tokens.end()}, step.block, plan.rows});
    return plan;
  }

 private:
  std::vector<SeenWindow>& seen_;
};

class DsbTest : public ::testing::TestWithParam<const char*> {
 protected:
  Request request(const std::string& method, double threshold, int block = kSlidBlock) {
    Request r =
        testing::method_request(model_, method, kSlidPrompt, kSlidLength, block, kSlidLength);
    r.sampler.threshold = threshold;
    return r;
  }
  Result run(Request r) { return generate(model_.transformer, {&r, 1})[0]; }
  std::vector<SeenWindow> watch(Request r) {
    std::vector<SeenWindow> seen;
    r.observe = [&](std::unique_ptr<Method> inner) {
      return std::make_unique<WindowSpy>(std::move(inner), seen);
    };
    run(r);
    return seen;
  }
  int masks(const SeenWindow& s) const {
    return static_cast<int>(std::ranges::count(s.tokens, model_.config.mask_id));
  }
  int first_mask(const SeenWindow& s) const {
    return static_cast<int>(std::ranges::find(s.tokens, model_.config.mask_id) - s.tokens.begin());
  }

  testing::LoadedModel model_{std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + GetParam(),
                              create_cpu_backend({.threads = 2})};
};
INSTANTIATE_TEST_SUITE_P(Models, DsbTest, ::testing::Values("llada-tiny", "dream-tiny"));

// The paper's loop, told again from the tokens that each step saw.
TEST_P(DsbTest, WindowsAndRowsAreThoseOfTheDefinition) {
  for (const bool constant : {false, true}) {
    for (const double threshold : {0.05, 0.2, 0.5, 1.0}) {
      const std::vector<SeenWindow> seen =
          watch(request(constant ? "dsb:window=constant,prefix=5" : "dsb:prefix=5", threshold));
      int since_full = kSlidBlock;  // decided tokens
      int before = kSlidPrompt;     // the last window's first position
      int left = kSlidLength;
      for (const SeenWindow& s : seen) {
        since_full += left - masks(s);
        left = masks(s);
        const int begin = first_mask(s);
        const int most = kSlidPrompt + kSlidBlock + kSlidLength - left;
        int end = std::min(most, kSlidPrompt + kSlidLength);
        if (constant) end = std::min(end, begin + kSlidBlock);
        EXPECT_EQ(s.window, (Range{begin, end}));
        const bool full = since_full >= kSlidBlock;
        if (full) since_full = 0;
        const int moved = std::min(std::max(begin - before, 5), begin);
        EXPECT_EQ(s.rows, full ? Rows(Range{0, kSlidPrompt + kSlidLength})
                               : Rows(Range{begin - moved, end}));
        before = begin;
      }
      EXPECT_GE(seen.size(), 5U);
    }
  }
}

TEST_P(DsbTest, AWindowOverEverythingIsTheFullMethod) {
  for (const double threshold : {0.1, 0.4}) {
    const Result full = run(request("full", threshold, kSlidLength));
    EXPECT_EQ(run(request("dsb:cache=false", threshold, kSlidLength)).tokens, full.tokens);
    const Result cached = run(request("dsb:prefix=1000", threshold, kSlidLength));
    EXPECT_EQ(cached.tokens, full.tokens);
    EXPECT_EQ(cached.rows, full.rows);
  }
}

TEST_P(DsbTest, DecidesOnlyInItsWindowAndEverythingInTheEnd) {
  for (const char* method : {"dsb", "dsb:window=constant", "dsb:prefix=0,cache=true"}) {
    Request r = request(method, 0.2);
    Range window{kSlidPrompt, kSlidPrompt + kSlidBlock};
    const StepCallback on_step = [&](const StepEvent& e) {
      EXPECT_EQ(e.block, window);
      for (const Decision& d : e.decided) EXPECT_TRUE(window.contains(d.position));
      window.begin = 0;
      while (window.begin < static_cast<int>(e.tokens.size()) &&
             e.tokens[static_cast<size_t>(window.begin)] != model_.config.mask_id) {
        ++window.begin;
      }
      const int decided = kSlidLength - e.masks_left;
      window.end = std::min(kSlidPrompt + kSlidBlock + decided, kSlidPrompt + kSlidLength);
      if (std::string(method).ends_with("constant")) {
        window.end = std::min(window.end, window.begin + kSlidBlock);
      }
      return true;
    };
    const Result result = generate(model_.transformer, {&r, 1}, on_step)[0];
    EXPECT_EQ(result.masks_left, 0);
    EXPECT_LT(result.rows, int64_t{result.forward_passes} * (kSlidPrompt + kSlidLength));
  }
}

TEST_P(DsbTest, IsTheSameInABatchWithGuidanceAndForAnyThreads) {
  Request guided = request("dsb", 0.2);
  guided.cfg_scale = 0.5;
  std::vector<Request> requests{request("dsb:prefix=3", 0.1), guided, request("full", 0.3),
                                request("dsb:window=constant", 0.3)};
  const std::vector<Result> batch = generate(model_.transformer, requests);
  testing::LoadedModel one{std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + GetParam(),
                           create_cpu_backend({.threads = 1})};
  for (size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(batch[i].tokens, run(requests[i]).tokens) << i;
    EXPECT_EQ(batch[i].tokens, generate(one.transformer, {&requests[i], 1})[0].tokens) << i;
  }
}

TEST_P(DsbTest, GivenTokensInTheMiddleStay) {
  Request r = request("dsb", 0.2);
  r.tokens[30] = 7;
  r.tokens[31] = 8;
  const Result result = run(r);
  EXPECT_EQ(result.masks_left, 0);
  EXPECT_EQ(result.tokens[30], 7);
  EXPECT_EQ(result.tokens[31], 8);
}

TEST_P(DsbTest, RefusesWhatCannotSlide) {
  Request r = request("dsb", 0.5);
  r.sampler.threshold.reset();
  try {
    run(r);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("found no threshold"));
  }
  r.sampler.factor = 1.0;
  EXPECT_EQ(run(r).masks_left, 0);
  r.sampler.editing = Editing{};
  EXPECT_THROW(run(r), Error);
}

}  // namespace
}  // namespace unmask
