#include "unmask/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

#include "api/demo.h"

namespace unmask {
namespace {

using testing::code_of;
using testing::demo;
using testing::kAnswer;
using testing::kQuestion;

const RequestOptions kSlow{.preset = "exact", .gen_length = 64, .early_stop = false};

TEST(ApiEngine, AnswersDoNotDependOnCompany) {
  std::vector<Request> requests;
  for (const char* preset : {"exact", "balanced", "fast"}) {
    requests.push_back(demo().prepare(kQuestion, {.preset = preset, .gen_length = 32}));
  }
  const std::vector<Result> together = generate_all(demo(), requests, {.max_running = 2});
  for (size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(together[i].text, kAnswer);
    EXPECT_EQ(together[i].tokens, demo().generate(requests[i]).tokens);
  }
}

TEST(ApiEngine, StepsTellWhatTheyDecided) {
  Engine engine(demo());
  std::vector<Token> canvas;
  int steps = 0;
  int decided = 0;
  const Request request = demo().prepare(kQuestion, kSlow);
  const RequestId id = engine.submit(request, [&](const StepEvent& event) {
    EXPECT_EQ(event.step, steps++);
    EXPECT_EQ(event.total_steps, 64);
    EXPECT_EQ(event.masks_left, std::ranges::count(event.tokens, event.mask));
    for (const Decision& d : event.decided) {
      EXPECT_EQ(event.tokens[static_cast<size_t>(d.position)], d.token);
      EXPECT_GT(d.confidence, 0);
      ++decided;
    }
    canvas.assign(event.tokens.begin(), event.tokens.end());
    return true;
  });
  EXPECT_EQ(engine.open(), 1U);
  EXPECT_FALSE(engine.ended(id));
  engine.run();
  EXPECT_EQ(steps, 64);
  EXPECT_EQ(decided, 64);
  EXPECT_EQ(engine.open(), 0U);
  EXPECT_EQ(engine.take(id).tokens, canvas);
  EXPECT_EQ(code_of([&] { engine.take(id); }), ErrorCode::misuse);
  EXPECT_FALSE(engine.step());
}

TEST(ApiEngine, RequestsAreCancelled) {
  Engine engine(demo());
  const RequestId by_callback = engine.submit(demo().prepare(kQuestion, kSlow),
                                              [](const StepEvent& e) { return e.step < 2; });
  const RequestId by_name = engine.submit(demo().prepare(kQuestion, kSlow));
  const RequestId other = engine.submit(demo().prepare(kQuestion));
  engine.step();
  engine.cancel(by_name);
  engine.cancel(12345);
  engine.run();
  EXPECT_EQ(engine.take(by_callback).steps, 3);
  const Result cancelled = engine.take(by_name);
  EXPECT_EQ(cancelled.finish, Finish::cancelled);
  EXPECT_GT(cancelled.masks_left, 0);
  EXPECT_EQ(engine.take(other).text, kAnswer);
}

TEST(ApiEngine, ACancellationEndsEverythingFromAnotherThread) {
  const Cancellation cancellation;
  Engine engine(demo(), {.cancellation = cancellation});
  std::thread other;
  const RequestId id = engine.submit(demo().prepare(kQuestion, kSlow), [&](const StepEvent& e) {
    if (e.step == 3) other = std::thread([&] { cancellation.cancel(); });
    return true;
  });
  const RequestId next = engine.submit(demo().prepare(kQuestion, kSlow));
  EXPECT_EQ(code_of([&] { engine.run(); }), ErrorCode::cancelled);
  other.join();
  EXPECT_EQ(engine.take(id).finish, Finish::cancelled);
  EXPECT_EQ(engine.take(next).finish, Finish::cancelled);
  EXPECT_EQ(code_of([&] { engine.step(); }), ErrorCode::cancelled);
  // The model goes on.
  EXPECT_EQ(demo().generate(kQuestion).text, kAnswer);
}

TEST(ApiEngine, ACancelledGenerationHasWhatThereIs) {
  const Cancellation cancellation;
  const auto cancel = [&](const StepEvent& event) {
    if (event.step == 4) cancellation.cancel();
    return true;
  };
  const Result result = demo().generate(demo().prepare(kQuestion, kSlow), cancel, cancellation);
  EXPECT_EQ(result.finish, Finish::cancelled);
  EXPECT_EQ(result.steps, 5);
  const Result none = demo().generate(demo().prepare(kQuestion, kSlow), {}, cancellation);
  EXPECT_EQ(none.steps, 0);
}

TEST(ApiEngine, WhatACallbackThrowsComesOut) {
  const auto throwing = [](const StepEvent&) -> bool { throw std::out_of_range("mine"); };
  Engine engine(demo());
  const RequestId id = engine.submit(demo().prepare(kQuestion, kSlow), throwing);
  EXPECT_THROW(engine.step(), std::out_of_range);
  EXPECT_EQ(engine.take(id).finish, Finish::cancelled);
  EXPECT_THROW(demo().generate(demo().prepare(kQuestion), throwing), std::out_of_range);
}

TEST(ApiEngine, ACallbackMayNotAskTheModelThatCallsIt) {
  const auto asking = [](const StepEvent&) {
    demo().generate(kQuestion);
    return true;
  };
  EXPECT_EQ(code_of([&] { demo().generate(demo().prepare(kQuestion), asking); }),
            ErrorCode::misuse);
  EXPECT_EQ(demo().generate(kQuestion).text, kAnswer);
}

TEST(ApiEngine, CallbacksMaySubmit) {
  Engine engine(demo());
  std::vector<RequestId> ids;
  ids.push_back(engine.submit(demo().prepare(kQuestion), [&](const StepEvent& event) {
    if (event.step == 0) ids.push_back(engine.submit(demo().prepare(kQuestion)));
    return true;
  }));
  engine.run();
  ASSERT_EQ(ids.size(), 2U);
  for (const RequestId id : ids) EXPECT_EQ(engine.take(id).text, kAnswer);
}

TEST(ApiEngine, ThreadsTakeTurnsWithAModel) {
  std::vector<std::thread> threads;
  std::vector<std::string> texts(4);
  for (std::string& text : texts) {
    threads.emplace_back([&text] { text = demo().generate(kQuestion).text; });
  }
  Engine shared(demo());
  std::vector<RequestId> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(shared.submit(demo().prepare(kQuestion)));
  std::thread helper([&] { shared.run(); });
  shared.run();
  helper.join();
  for (std::thread& thread : threads) thread.join();
  for (const std::string& text : texts) EXPECT_EQ(text, kAnswer);
  for (const RequestId id : ids) EXPECT_EQ(shared.take(id).text, kAnswer);
}

TEST(ApiEngine, WhatNeverFitsIsRefusedByItself) {
  Engine engine(demo(), {.memory_limit = 1000});
  const RequestId id = engine.submit(demo().prepare(kQuestion));
  engine.run();
  EXPECT_EQ(code_of([&] { engine.take(id); }), ErrorCode::memory);
  EXPECT_EQ(code_of([] { Engine(demo(), {.max_running = 0}); }), ErrorCode::invalid);
  EXPECT_EQ(code_of([&] { engine.submit(testing::load_demo().prepare(kQuestion)); }),
            ErrorCode::misuse);
}

}  // namespace
}  // namespace unmask
