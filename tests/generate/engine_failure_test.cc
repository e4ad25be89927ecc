// A failure belongs to one request: the others take their steps as if nothing had happened.
#include <gtest/gtest.h>

#include "core/error.h"
#include "generate/engine.h"
#include "methods/method_wrapper.h"
#include "support/method_requests.h"

namespace unmask {
namespace {

using testing::LoadedModel;

/// Throws when it is asked for its third plan.
template <typename Failure>
class FailsToPlan final : public MethodWrapper {
 public:
  using MethodWrapper::MethodWrapper;
  StepPlan plan_step(const Step& step) override {
    if (++plans_ == 3) throw Failure("[test] no plan");
    return MethodWrapper::plan_step(step);
  }

 private:
  int plans_ = 0;
};

class EngineFailureTest : public ::testing::Test {
 protected:
  LoadedModel model_{std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny",
                     testing::make_backend("cpu")};
  Request good_ = testing::method_request(model_, "sparse-dllm", 20, 16, 8, 16);
  std::vector<TokenId> text_ = generate(model_.transformer, {&good_, 1})[0].tokens;

  template <typename Failure>
  Request bad() const {
    Request r = good_;
    r.observe = [](std::unique_ptr<Method> method) {
      return std::make_unique<FailsToPlan<Failure>>(std::move(method));
    };
    return r;
  }
};

TEST_F(EngineFailureTest, APlanThatThrowsEndsItsRequestOnly) {
  for (const int max_rows : {1000, 40}) {  // planned when it computes, and to choose who does
    Engine engine(model_.transformer, {.max_rows = max_rows});
    const RequestId bad_id = engine.submit(bad<Error>());
    const RequestId good_id = engine.submit(good_);
    while (engine.step()) {
    }
    EXPECT_THROW(engine.take(bad_id), Error);
    EXPECT_EQ(engine.take(good_id).tokens, text_);
  }
}

TEST_F(EngineFailureTest, ABrokenPromiseComesOutOnceAndEndsItsRequest) {
  for (const int max_rows : {1000, 40}) {
    Engine engine(model_.transformer, {.max_rows = max_rows});
    const RequestId bad_id = engine.submit(bad<LogicError>());
    const RequestId good_id = engine.submit(good_);
    int thrown = 0;
    for (bool more = true; more;) {
      try {
        more = engine.step();
      } catch (const LogicError&) {
        ++thrown;
      }
    }
    EXPECT_EQ(thrown, 1);
    EXPECT_THROW(engine.take(bad_id), LogicError);
    EXPECT_EQ(engine.take(good_id).tokens, text_);
  }
}

TEST_F(EngineFailureTest, AChoiceNamesRunningRequestsOnce) {
  Engine engine(model_.transformer);
  const RequestId id = engine.submit(good_);
  EXPECT_THROW(engine.step(std::vector<RequestId>{id, id}), LogicError);
  EXPECT_THROW(engine.step(std::vector<RequestId>{id, 77}), LogicError);
  while (engine.step()) {
  }
  EXPECT_EQ(engine.take(id).tokens, text_);
}

TEST_F(EngineFailureTest, TotalStepsAreNeverExceeded) {
  Request r = testing::method_request(model_, "full", 10, 16, 16, 4);
  r.sampler.threshold = 0.999F;  // hardly ever met: a token a step
  int steps = 0;
  generate(model_.transformer, {&r, 1}, [&](const StepEvent& e) {
    EXPECT_LT(e.step, e.total_steps);
    steps = e.step + 1;
    return true;
  });
  EXPECT_GT(steps, r.steps);
}

TEST_F(EngineFailureTest, OptionsThatLetNobodyRunAreRefused) {
  EXPECT_THROW(Engine(model_.transformer, {.max_running = 0}), LogicError);
  EXPECT_THROW(Engine(model_.transformer, {.max_rows = 0}), LogicError);
  EXPECT_THROW(Engine(model_.transformer, {.series_steps = 0}), LogicError);
}

TEST_F(EngineFailureTest, AnIdleEngineKeepsNoWorkspace) {
  Engine engine(model_.transformer);
  engine.submit(good_);
  engine.step();
  EXPECT_GT(engine.workspace_bytes(), 0U);
  while (engine.step()) {
  }
  EXPECT_EQ(engine.workspace_bytes(), 0U);
}

}  // namespace
}  // namespace unmask
