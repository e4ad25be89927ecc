#include "serve/schedule/scheduler.h"

#include <future>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <new>
#include <random>

#include "core/error.h"
#include "serve/metrics.h"
#include "serve/refusal.h"
#include "serve/schedule/recorder.h"
#include "support/method_requests.h"

namespace unmask {
namespace {

using ::testing::HasSubstr;
using testing::LoadedModel;
using testing::Mailbox;
using testing::Recorder;
using testing::refusal;
using namespace std::chrono_literals;

class SchedulerTest : public ::testing::Test {
 protected:
  void start(SchedulerOptions options) {
    options.engine.series_steps = 1;
    scheduler_.emplace(model_.transformer, std::move(options), metrics_, mailbox_.post());
  }

  /// So many tokens in as many steps.
  Request request_of(int tokens, const std::string& method = "full") const {
    return testing::method_request(model_, method, 9, tokens, tokens, tokens);
  }
  std::shared_ptr<Recorder> submit(Request request,
                                   std::optional<std::chrono::milliseconds> limit = {}) {
    auto watcher = std::make_shared<Recorder>();
    last_ = scheduler_->submit(Generation{{std::move(request)}, watcher, limit});
    return watcher;
  }
  bool wait_for(const std::function<bool()>& holds) { return mailbox_.run_until(holds); }
  bool idle() const { return scheduler_->running() == 0 && scheduler_->waiting() == 0; }

  /// Keeps the engine's thread until release() is called.
  void hold() {
    scheduler_->submit(Errand{[gate = released_.get_future().share()](Transformer&) {
                                gate.wait();
                                return false;
                              },
                              [] {}, [](const ApiError&) {}});
    EXPECT_TRUE(wait_for([&] { return scheduler_->running() == 1; }));
  }
  void release() { released_.set_value(); }

  LoadedModel model_{std::filesystem::path(UNMASK_GOLDEN_CHECKPOINTS) / "llada-tiny",
                     testing::make_backend("cpu")};
  Metrics metrics_{{"1", "tiny", "cpu"}};
  Mailbox mailbox_;
  std::promise<void> released_;
  WorkId last_ = -1;
  std::optional<Scheduler> scheduler_;
};

/// Fifty requests of all methods and sizes.
std::vector<Request> random_requests(const LoadedModel& model, std::mt19937& random) {
  const std::vector<std::string> methods = testing::methods_of("llada-tiny");
  std::vector<Request> requests;
  for (size_t i = 0; i < 50; ++i) {
    const int gen = 8 << random() % 2;
    requests.push_back(testing::method_request(model, methods[i % methods.size()],
                                               3 + static_cast<int>(random() % 30), gen,
                                               random() % 2 == 0 ? 8 : gen, gen));
    Request& r = requests.back();
    if (r.sampler.algorithm == Algorithm::random) continue;
    if (random() % 3 == 0) r.sampler.temperature = 0.7;
    if (random() % 4 == 0) r.sampler.threshold = 0.3;
    if (random() % 5 == 0) r.cfg_scale = 0.5;
    r.sampler.seed = random();
  }
  return requests;
}

TEST_F(SchedulerTest, FiftyRequestsAreAsAloneWhateverJoinsAndLeaves) {
  std::mt19937 random(11);
  const std::vector<Request> requests = random_requests(model_, random);
  std::vector<Result> alone;
  for (const Request& r : requests) alone.push_back(generate(model_.transformer, {&r, 1})[0]);

  start({.engine = {.max_running = 8, .max_rows = 96}, .queue = 100});
  std::vector<std::shared_ptr<Recorder>> watchers;
  std::vector<bool> cancelled;
  for (const Request& r : requests) {
    watchers.push_back(submit(r));
    cancelled.push_back(random() % 4 == 0);
    if (cancelled.back()) {
      const size_t steps = random() % 4;
      EXPECT_TRUE(wait_for(
          [&] { return watchers.back()->over() || watchers.back()->steps.size() >= steps; }));
      scheduler_->cancel(last_);
    } else if (random() % 3 == 0) {
      EXPECT_TRUE(wait_for([&] { return scheduler_->waiting() < 4; }));
    }
  }
  EXPECT_TRUE(wait_for([&] { return idle(); }));
  for (size_t i = 0; i < requests.size(); ++i) {
    if (cancelled[i]) continue;
    SCOPED_TRACE(requests[i].method);
    EXPECT_TRUE(wait_for([&] { return watchers[i]->over(); }));
    ASSERT_FALSE(watchers[i]->failure);
    const Result& result = watchers[i]->results.at(0);
    EXPECT_EQ(result.tokens, alone[i].tokens);
    EXPECT_EQ(result.steps, alone[i].steps);
    EXPECT_EQ(result.rows, alone[i].rows);
    // What the steps told adds up to the result.
    std::vector<TokenId> canvas = requests[i].tokens;
    for (const Progress& step : watchers[i]->steps) {
      canvas.resize(static_cast<size_t>(step.length), model_.config.mask_id);
      for (const Decision& d : step.decided) canvas[static_cast<size_t>(d.position)] = d.token;
    }
    EXPECT_EQ(canvas, result.tokens);
  }
}

TEST_F(SchedulerTest, AFullQueueSaysHowLongToWait) {
  start({.engine = {.max_running = 1}, .queue = 2});
  hold();
  const auto first = submit(request_of(4));
  const auto second = submit(request_of(4));
  const ApiError error = refusal([&] { submit(request_of(4)); });
  EXPECT_EQ(error.status, 429);
  EXPECT_EQ(error.code, "queue_full");
  EXPECT_GE(error.retry_after, 1);
  EXPECT_LE(error.retry_after, 60);
  release();
  EXPECT_TRUE(wait_for([&] { return first->over() && second->over() && idle(); }));
  const auto next = submit(request_of(4));
  EXPECT_TRUE(wait_for([&] { return next->over(); }));
  EXPECT_FALSE(next->failure);
}

TEST_F(SchedulerTest, NoneOfSeveralOwnersTakesTheWholeQueue) {
  start({.engine = {.max_running = 1}, .queue = 4, .owners = 2});
  hold();  // by the first
  const auto submit_of = [&](size_t owner) {
    auto watcher = std::make_shared<Recorder>();
    last_ = scheduler_->submit(Generation{{request_of(4)}, watcher}, owner);
    return watcher;
  };
  std::vector<std::shared_ptr<Recorder>> all{submit_of(0), submit_of(0)};
  const WorkId second_of_first = last_;
  const ApiError error = refusal([&] { submit_of(0); });
  EXPECT_EQ(error.code, "queue_full");
  EXPECT_THAT(error.message, HasSubstr("2 requests of this key"));
  all.push_back(submit_of(1));
  // a place that became free is its owner's again
  scheduler_->cancel(second_of_first);
  release();
  EXPECT_TRUE(wait_for([&] { return all[0]->over() && all[2]->over() && idle(); }));
  for (int i = 0; i < 2; ++i) all.push_back(submit_of(0));
  EXPECT_TRUE(wait_for([&] { return all[3]->over() && all[4]->over() && idle(); }));
}

TEST_F(SchedulerTest, WhatWaitsTooLongIsRefused) {
  start({.engine = {}, .queue_timeout = 1s});
  hold();
  const auto late = submit(request_of(4));
  std::this_thread::sleep_for(1100ms);
  const auto fresh = submit(request_of(4));
  release();
  EXPECT_TRUE(wait_for([&] { return late->over() && fresh->over(); }));
  ASSERT_TRUE(late->failure);
  EXPECT_EQ(late->failure->status, 503);
  EXPECT_EQ(late->failure->code, "queue_timeout");
  EXPECT_GT(late->failure->retry_after, 0);
  EXPECT_FALSE(fresh->failure);
  EXPECT_THAT(metrics_.text(), HasSubstr("unmask_refused_total{reason=\"timeout\"} 1"));
}

TEST_F(SchedulerTest, ATimeLimitEndsWithWhatThereIs) {
  start({});
  hold();
  const auto unbegun = submit(request_of(4), 1ms);
  std::this_thread::sleep_for(5ms);
  release();
  const auto begun = submit(request_of(500), 100ms);
  EXPECT_TRUE(wait_for([&] { return unbegun->over() && begun->over(); }));
  ASSERT_FALSE(unbegun->failure || begun->failure);
  EXPECT_TRUE(unbegun->results[0].cancelled);
  EXPECT_EQ(unbegun->results[0].masks_left, 4);
  EXPECT_TRUE(begun->results[0].cancelled);
  EXPECT_GT(begun->results[0].masks_left, 0);
}

TEST_F(SchedulerTest, CancellingFreesTheSlotAndTellsNobody) {
  start({.engine = {.max_running = 1}});
  const auto long_one = submit(request_of(500, "fast-dllm"));
  const WorkId id = last_;
  EXPECT_TRUE(wait_for([&] { return !long_one->steps.empty(); }));
  const auto next = submit(request_of(4));
  scheduler_->cancel(id);
  scheduler_->cancel(id);  // again: nothing happens
  EXPECT_TRUE(wait_for([&] { return next->over(); }));
  EXPECT_FALSE(next->failure);
  EXPECT_FALSE(long_one->over());
  EXPECT_TRUE(wait_for([&] { return idle(); }));
  EXPECT_TRUE(
      wait_for([&] { return metrics_.text().find("\nunmask_kv_bytes 0\n") != std::string::npos; }));
  scheduler_->cancel(id);
  scheduler_->cancel(12345);
}

TEST_F(SchedulerTest, OneChoiceEndsAloneAndWhileWaiting) {
  start({.engine = {.max_running = 1}});
  auto watcher = std::make_shared<Recorder>();
  const Request wanted = request_of(6);
  hold();
  const WorkId work =
      scheduler_->submit(Generation{{request_of(500), wanted, request_of(500)}, watcher});
  scheduler_->cancel_choice(work, 2);
  release();
  EXPECT_TRUE(wait_for([&] { return !watcher->steps.empty(); }));
  scheduler_->cancel_choice(work, 0);
  scheduler_->cancel_choice(work, 0);
  EXPECT_TRUE(wait_for([&] { return watcher->over(3) && idle(); }));
  ASSERT_FALSE(watcher->failure);
  EXPECT_TRUE(watcher->results[0].cancelled);
  EXPECT_EQ(watcher->results[2].steps, 0);
  EXPECT_EQ(watcher->results[1].tokens, generate(model_.transformer, {&wanted, 1})[0].tokens);
}

TEST_F(SchedulerTest, AnImpossibleRequestFailsByItself) {
  start({});
  Request wrong = request_of(4);
  wrong.method = "magic";
  const auto watcher = submit(wrong);
  const auto good = submit(request_of(4));
  EXPECT_TRUE(wait_for([&] { return watcher->over() && good->over() && idle(); }));
  EXPECT_EQ(watcher->failure->status, 400);
  EXPECT_FALSE(good->failure);
}

TEST_F(SchedulerTest, ShuttingDownLetsWhatRunsEnd) {
  start({.engine = {.max_running = 1}});
  const auto running = submit(request_of(40));
  EXPECT_TRUE(wait_for([&] { return !running->steps.empty(); }));
  const auto waiting = submit(request_of(40));
  bool empty = false;
  scheduler_->shut_down(60s, [&] { empty = true; });
  EXPECT_EQ(refusal([&] { submit(request_of(4)); }).code, "shutting_down");
  EXPECT_TRUE(wait_for([&] { return empty; }));
  EXPECT_FALSE(running->failure);
  EXPECT_EQ(running->results[0].masks_left, 0);
  ASSERT_TRUE(waiting->failure);
  EXPECT_EQ(waiting->failure->status, 503);
  EXPECT_EQ(waiting->failure->code, "shutting_down");
}

TEST_F(SchedulerTest, AfterTheGraceWhatRunsFails) {
  start({});
  const auto running = submit(request_of(500));
  EXPECT_TRUE(wait_for([&] { return !running->steps.empty(); }));
  bool empty = false;
  scheduler_->shut_down(20ms, [&] { empty = true; });
  EXPECT_TRUE(wait_for([&] { return empty; }));
  ASSERT_TRUE(running->failure);
  EXPECT_EQ(running->failure->code, "shutting_down");
}

TEST_F(SchedulerTest, ErrandsTakeTurnsWithEachOtherAndWithSteps) {
  start({});
  hold();
  std::vector<char> order;  // written on the engine's thread, read when all is over
  int done = 0;
  for (const char name : {'a', 'b'}) {
    scheduler_->submit(Errand{[&order, name, left = 3](Transformer&) mutable {
                                order.push_back(name);
                                return --left > 0;
                              },
                              [&] { ++done; }, [](const ApiError&) { FAIL(); }});
  }
  const auto watcher = submit(request_of(6));
  release();
  EXPECT_TRUE(wait_for([&] { return done == 2 && watcher->over() && idle(); }));
  EXPECT_EQ(std::string(order.begin(), order.end()), "ababab");
  EXPECT_EQ(watcher->results[0].masks_left, 0);
}

TEST_F(SchedulerTest, WhatAnErrandThrowsIsItsAnswer) {
  start({});
  const auto answer_to = [&](const std::function<void()>& thrower) {
    std::optional<ApiError> heard;
    scheduler_->submit(Errand{[&](Transformer&) {
                                thrower();
                                return false;
                              },
                              [] { FAIL(); }, [&](const ApiError& error) { heard = error; }});
    EXPECT_TRUE(wait_for([&] { return heard && idle(); }));
    return *heard;
  };
  EXPECT_EQ(answer_to([] { fail("[x] wrong"); }).code, "invalid_value");
  EXPECT_EQ(answer_to([] { fail(ErrorCode::memory, "[x] much"); }).code, "out_of_memory_plan");
  EXPECT_EQ(answer_to([] { throw std::bad_alloc(); }).status, 500);
}

TEST_F(SchedulerTest, OnlyAnEngineWithWorkIsStalled) {
  start({});
  EXPECT_EQ(scheduler_->stalled(), 0);
  std::this_thread::sleep_for(30ms);
  hold();
  const double seconds = scheduler_->stalled();
  EXPECT_LT(seconds, 20);
  std::this_thread::sleep_for(20ms);
  EXPECT_GT(scheduler_->stalled(), seconds);
  release();
  EXPECT_TRUE(wait_for([&] { return idle(); }));
  EXPECT_EQ(scheduler_->stalled(), 0);
}

}  // namespace
}  // namespace unmask
