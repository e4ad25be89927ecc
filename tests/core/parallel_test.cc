#include "core/parallel.h"

#include <chrono>
#include <future>
#include <gtest/gtest.h>
#include <new>
#include <numeric>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "core/error.h"

namespace unmask {
namespace {

TEST(ThreadPool, RunsEveryTaskOnceForAnyCount) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const int count : {0, 1, 2, 7, 1000}) {
      std::vector<int> hits(static_cast<size_t>(count), 0);
      pool.run(count, [&](int i, int worker) {
        ASSERT_LT(worker, threads);
        ++hits[static_cast<size_t>(i)];
      });
      EXPECT_EQ(std::accumulate(hits.begin(), hits.end(), 0), count);
      for (const int h : hits) EXPECT_EQ(h, 1);
    }
  }
}

TEST(ThreadPool, ManyShortRunsInARow) {
  ThreadPool pool(4);
  std::atomic<int> sum{0};
  for (int i = 0; i < 2000; ++i) {
    pool.run(4, [&](int task, int) { sum += task; });
  }
  EXPECT_EQ(sum, 2000 * 6);
}

TEST(ThreadPool, WakesWorkersThatWentToSleep) {
  ThreadPool pool(2);
  std::atomic<int> count{0};
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    pool.run(2, [&](int, int) { ++count; });
  }
  EXPECT_EQ(count, 10);
}

TEST(ThreadPool, WaitsForNoWorkerThatHasNotBegun) {
  std::promise<void> gate;
  const std::shared_future<void> opened(gate.get_future());
  const auto late = [&opened](std::function<void()> body) {
    return std::thread([opened, body = std::move(body)] {
      opened.wait();
      body();
    });
  };
  ThreadPool pool(3, late);
  int count = 0;  // by the caller alone
  for (int i = 0; i < 5; ++i) pool.run(10, [&](int, int) { ++count; });
  EXPECT_EQ(count, 50);
  gate.set_value();
}

TEST(ThreadPool, AnExceptionReachesTheCallerAndThePoolStaysUsable) {
  ThreadPool pool(2);
  EXPECT_THROW(pool.run(10,
                        [](int i, int) {
                          if (i == 3) fail("task {}", i);
                        }),
               Error);
  std::atomic<int> count{0};
  pool.run(10, [&](int, int) { ++count; });
  EXPECT_EQ(count, 10);
}

TEST(ThreadPool, LeavesOutWhatHasNotBegunWhenToldToStop) {
  for (const int threads : {1, 3}) {
    std::atomic<bool> flag{false};
    ThreadPool pool(threads, StopToken(flag));
    std::atomic<int> count{0};
    const auto raises = [&](int i, int) {
      ++count;
      if (i == 5) flag = true;
    };
    EXPECT_THROW(pool.run(100'000, raises), Stopped);
    EXPECT_LT(count, 100'000);
    EXPECT_THROW(pool.run(1, raises), Stopped);
    flag = false;
    count = 0;
    pool.run(5, raises);
    EXPECT_EQ(count, 5);
  }
}

/// Starts some threads and refuses the next with `error`.
template <typename Error>
ThreadPool::Starter starts(int count, const Error& error) {
  return [count, error](std::function<void()> body) mutable {
    if (count-- == 0) throw error;
    return std::thread(std::move(body));
  };
}

TEST(ThreadPool, AThreadThatTheSystemRefusesIsAnErrorAndEndsTheOthers) {
  const std::system_error refused(std::make_error_code(std::errc::resource_unavailable_try_again));
  for (const int started : {0, 1, 5}) {
    try {
      const ThreadPool pool(8, starts(started, refused));
      FAIL() << "expected an error";
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()),
                fmt::format("[threads] the system started {} of 8 and refused the next: {}",
                            started + 1, refused.code().message()));
    }
  }
  EXPECT_THROW(ThreadPool(4, starts(2, std::bad_alloc())), std::bad_alloc);
}

TEST(ThreadPool, RefusesLessThanOneThread) { EXPECT_THROW(ThreadPool(0), Error); }

}  // namespace
}  // namespace unmask
