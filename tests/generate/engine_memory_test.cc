// What requests hold, how it is bounded, and what happens when there is not enough.
#include <chrono>
#include <gtest/gtest.h>
#include <thread>

#include "core/error.h"
#include "generate/engine.h"
#include "support/limited_backend.h"
#include "support/method_requests.h"

namespace unmask {
namespace {

using testing::LimitedBackend;
using testing::LoadedModel;

class EngineMemoryTest : public ::testing::Test {
 protected:
  EngineMemoryTest()
      : EngineMemoryTest(std::make_unique<LimitedBackend>(testing::make_backend("cpu"))) {}
  explicit EngineMemoryTest(std::unique_ptr<LimitedBackend> backend)
      : memory_(*backend),
        model_(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny", std::move(backend)) {}

  Request request(const std::string& method, int prompt_length = 20) const {
    return testing::method_request(model_, method, prompt_length, 16, 8, 16);
  }
  Result alone(const Request& r) { return generate(model_.transformer, {&r, 1})[0]; }

  LimitedBackend& memory_;
  LoadedModel model_;
};

/// What `call` throws; empty when it returns.
template <typename Call>
std::string reason(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

TEST_F(EngineMemoryTest, CancelFreesWhatTheRequestHeld) {
  for (const std::string& method : testing::methods_of("llada-tiny")) {
    Engine engine(model_.transformer);
    engine.submit(request("full"));
    while (engine.step()) {  // the workspace has its size
    }
    for (const double guidance : {0.0, 0.5}) {
      Request r = request(method);
      r.cfg_scale = guidance;
      alone(r);  // guidance needs a larger workspace
      const size_t before = memory_.live_bytes();
      const RequestId id = engine.submit(r);
      for (int i = 0; i < 5; ++i) engine.step();
      EXPECT_GT(engine.state_bytes(id), 0U) << method;
      EXPECT_GT(memory_.live_bytes(), before) << method;
      engine.cancel(id);
      EXPECT_TRUE(engine.ended(id));
      EXPECT_EQ(engine.state_bytes(), 0U);
      EXPECT_EQ(memory_.live_bytes(), before) << method;
      EXPECT_TRUE(engine.take(id).cancelled);
    }
  }
}

TEST_F(EngineMemoryTest, ACallbackThatSaysNoFreesWithinItsStep) {
  Engine engine(model_.transformer);
  const RequestId id =
      engine.submit(request("sparse-dllm"), [](const StepEvent& e) { return e.step < 2; });
  alone(request("sparse-dllm"));
  for (int i = 0; i < 2; ++i) engine.step();
  const size_t before = memory_.live_bytes();
  const size_t held = engine.state_bytes(id);
  engine.step();
  EXPECT_TRUE(engine.ended(id));
  EXPECT_GT(held, 0U);
  EXPECT_LE(memory_.live_bytes(), before - held);  // the workspace is gone, too
}

TEST_F(EngineMemoryTest, AFailingAllocationEndsTheRequestsOfItsStepOnly) {
  const std::vector<Request> requests{request("sparse-dllm", 30), request("fast-dllm:cache=dual"),
                                      request("dllm-cache", 9)};
  std::vector<std::vector<TokenId>> texts;
  for (const Request& r : requests) texts.push_back(alone(r).tokens);
  int failures = 0;
  for (int n = 0;; ++n) {
    LoadedModel fresh(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny",
                      std::make_unique<LimitedBackend>(testing::make_backend("cpu")));
    auto& memory = static_cast<LimitedBackend&>(*fresh.backend);
    Engine engine(fresh.transformer);
    for (const Request& r : requests) engine.submit(r);
    engine.admit();
    engine.step(std::vector<RequestId>{2});
    memory.fail_after(n);
    engine.step(std::vector<RequestId>{0, 1});
    const bool failed = engine.ended(0);
    EXPECT_TRUE(failed || !memory.refused()) << "a failure that ended nobody";
    memory.never_fail();
    if (!failed) break;
    ++failures;
    EXPECT_EQ(engine.running(), std::vector<RequestId>{2});
    EXPECT_NE(reason([&] { engine.take(0); }).find("out of memory"), std::string::npos);
    EXPECT_NE(reason([&] { engine.take(1); }).find("out of memory"), std::string::npos);
    const RequestId again = engine.submit(requests[0]);
    while (engine.step()) {
    }
    EXPECT_EQ(engine.take(2).tokens, texts[2]) << "after " << n << " allocations";
    EXPECT_EQ(engine.take(again).tokens, texts[0]) << "after " << n << " allocations";
    EXPECT_EQ(engine.state_bytes(), 0U);
  }
  EXPECT_GT(failures, 5);  // workspace and caches of every layer
}

TEST_F(EngineMemoryTest, NeighboursShareAWorkspaceNoLargerThanTheirOwnTogether) {
  const auto workspace = [this](const std::vector<Request>& requests) {
    Engine engine(model_.transformer);
    for (const Request& r : requests) engine.submit(r);
    size_t most = 0;
    while (engine.step()) most = std::max(most, engine.workspace_bytes());
    return most;
  };
  const Request full = request("full", 60);
  for (const char* method : {"dllm-cache", "sparse-dllm", "dkv-cache"}) {
    EXPECT_LE(workspace({full, request(method)}), workspace({full}) + workspace({request(method)}))
        << method;
  }
}

TEST_F(EngineMemoryTest, WhatDoesNotFitWaits) {
  const auto planned = [](const Request& r) { return int64_t{1'000'000} * r.prompt_length; };
  Engine engine(model_.transformer, {.memory_limit = 50'000'000, .planned_bytes = planned});
  const RequestId first = engine.submit(request("full", 30));
  const RequestId second = engine.submit(request("full", 25));
  const RequestId third = engine.submit(request("full", 5));
  engine.step();
  EXPECT_EQ(engine.running(), std::vector<RequestId>{first});  // nobody overtakes
  EXPECT_EQ(engine.waiting(), 2U);
  while (!engine.ended(first)) engine.step();
  engine.step();
  EXPECT_EQ(engine.running(), (std::vector<RequestId>{second, third}));
  engine.cancel(second);
  const RequestId fourth = engine.submit(request("full", 45));
  engine.step();
  EXPECT_EQ(engine.running(), (std::vector<RequestId>{third, fourth}));
}

TEST_F(EngineMemoryTest, WhatCanNeverFitIsRefusedWithTheNumbers) {
  const auto planned = [](const Request&) { return int64_t{51'000'000}; };
  Engine engine(model_.transformer, {.memory_limit = 50'000'000, .planned_bytes = planned});
  const std::string why = reason([&] { engine.submit(request("sparse-dllm")); });
  EXPECT_NE(why.find("36 tokens"), std::string::npos) << why;
  EXPECT_NE(why.find("sparse-dllm"), std::string::npos) << why;
  EXPECT_NE(why.find("51 MB"), std::string::npos) << why;
  EXPECT_NE(why.find("50 MB"), std::string::npos) << why;
  EXPECT_EQ(engine.waiting(), 0U);
}

TEST_F(EngineMemoryTest, IdsAreNeverUsedTwice) {
  Engine engine(model_.transformer);
  const RequestId first = engine.submit(request("full"));
  EXPECT_THROW(engine.submit(request("no-such-method")), Error);
  engine.cancel(first);
  EXPECT_TRUE(engine.take(first).cancelled);
  EXPECT_THROW(engine.take(first), LogicError);
  const RequestId second = engine.submit(request("full"));
  EXPECT_GT(second, first);
  EXPECT_FALSE(engine.ended(second));
  EXPECT_THROW(engine.take(second), LogicError);
  engine.cancel(12345);  // nobody's
  EXPECT_EQ(engine.waiting(), 1U);
}

TEST_F(EngineMemoryTest, WhatACallbackThrowsComesOutAndCancelsItsRequest) {
  struct Mine {};
  Engine engine(model_.transformer);
  const RequestId bad =
      engine.submit(request("full"), [](const StepEvent&) -> bool { throw Mine{}; });
  const RequestId good = engine.submit(request("full"));
  EXPECT_THROW(engine.step(), Mine);
  EXPECT_TRUE(engine.take(bad).cancelled);
  while (engine.step()) {
  }
  EXPECT_EQ(engine.take(good).tokens, alone(request("full")).tokens);
}

TEST_F(EngineMemoryTest, TimeCountsFromTheFirstStepNotFromSubmission) {
  using Clock = std::chrono::steady_clock;
  Engine engine(model_.transformer, {.max_running = 1});
  const RequestId first = engine.submit(request("full"));
  const RequestId second = engine.submit(request("full"));
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  while (!engine.ended(first)) engine.step();
  const auto joined = Clock::now();
  while (engine.step()) {
  }
  const double most = std::chrono::duration<double>(Clock::now() - joined).count();
  const double seconds = engine.take(second).seconds;
  EXPECT_GT(seconds, 0);
  EXPECT_LE(seconds, most);
}

}  // namespace
}  // namespace unmask
