#include "core/parallel.h"

#include <chrono>
#include <gtest/gtest.h>
#include <numeric>
#include <thread>

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

TEST(ThreadPool, RefusesLessThanOneThread) { EXPECT_THROW(ThreadPool(0), Error); }

}  // namespace
}  // namespace unmask
