// Work that is told to stop in the midst of a step: what was known before it stays, and so does the
// model.
#include <atomic>
#include <gtest/gtest.h>

#include "generate/engine.h"
#include "methods/method_wrapper.h"
#include "support/method_requests.h"

namespace unmask {
namespace {

using testing::LoadedModel;

/// Raises a flag within a layer of one step.
class RaisesFlag final : public MethodWrapper {
 public:
  RaisesFlag(std::unique_ptr<Method> inner, std::atomic<bool>& flag, int step)
      : MethodWrapper(std::move(inner)), flag_(flag), step_(step) {}
  Attention attend(AttendScope& scope) override {
    if (scope.step.index == step_ && scope.layer == 1) flag_ = true;
    return MethodWrapper::attend(scope);
  }

 private:
  std::atomic<bool>& flag_;
  int step_;
};

class StoppingTest : public ::testing::TestWithParam<int> {
 protected:
  Request stopped_in(int step) {
    Request r = good_;
    r.observe = [this, step](std::unique_ptr<Method> method) {
      return std::make_unique<RaisesFlag>(std::move(method), flag_, step);
    };
    return r;
  }

  std::atomic<bool> flag_{false};
  LoadedModel model_{std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny",
                     create_cpu_backend({.threads = GetParam(), .stop = StopToken(flag_)})};
  Request good_ = testing::method_request(model_, "sparse-dllm", 20, 16, 8, 16);
};

TEST_P(StoppingTest, ARequestKeepsTheCanvasOfItsLastFinishedStep) {
  const Result whole = generate(model_.transformer, {&good_, 1})[0];
  std::vector<TokenId> canvas;
  const Request stopped = stopped_in(5);
  int steps = 0;
  const Result result = generate(model_.transformer, {&stopped, 1}, [&](const StepEvent& event) {
    canvas.assign(event.tokens.begin(), event.tokens.end());
    ++steps;
    return true;
  })[0];
  EXPECT_TRUE(result.cancelled);
  EXPECT_EQ(steps, 5);
  EXPECT_EQ(result.steps, 5);
  EXPECT_EQ(result.tokens, canvas);
  EXPECT_EQ(result.masks_left, 11);

  flag_ = false;
  EXPECT_EQ(generate(model_.transformer, {&good_, 1})[0].tokens, whole.tokens);
}

TEST_P(StoppingTest, NobodyGoesOnWhileTheFlagIsUp) {
  Engine engine(model_.transformer, {.max_running = 2});
  const RequestId finished = engine.submit(good_);
  while (engine.step()) {
  }
  const RequestId first = engine.submit(stopped_in(3));
  const RequestId second = engine.submit(good_);
  const RequestId waiting = engine.submit(good_);
  while (engine.step()) {
  }
  EXPECT_FALSE(engine.take(finished).cancelled);
  EXPECT_EQ(engine.take(first).steps, 3);
  EXPECT_EQ(engine.take(second).steps, 3);
  const Result never = engine.take(waiting);
  EXPECT_TRUE(never.cancelled);
  EXPECT_EQ(never.steps, 0);
}

TEST_P(StoppingTest, LoadingStops) {
  flag_ = true;
  EXPECT_THROW(load_weights(model_.checkpoint, model_.config, *model_.backend), Stopped);
}

INSTANTIATE_TEST_SUITE_P(Threads, StoppingTest, ::testing::Values(1, 2));

}  // namespace
}  // namespace unmask
