#include "core/parallel.h"

#include <chrono>
#include <system_error>

#include "core/error.h"

namespace unmask {

namespace {

// Waiting spins for about as long as a small matrix product takes (32 rows of 512 x 512 on an EPYC
// of Zen 5: 20 us), then gives the processor away: a spinning thread that shares its core stalls
// the one it waits for. Waking from sleep costs about 4 us there, a few percent of kYield.
constexpr auto kSpin = std::chrono::microseconds(20);
constexpr auto kYield = std::chrono::microseconds(200);

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");  // takes about as long; "yield" does nothing on most processors
#endif
}

/// Polls `ready` for a while, first spinning, then yielding. True when it became true.
template <typename Ready>
bool poll(const Ready& ready) {
  const auto start = std::chrono::steady_clock::now();
  for (;;) {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      pause();
    }
    const auto waited = std::chrono::steady_clock::now() - start;
    if (waited > kYield) return false;
    if (waited > kSpin) std::this_thread::yield();
  }
}

}  // namespace

ThreadPool::ThreadPool(int threads, const Starter& start, StopToken stop) : told_(stop) {
  if (threads < 1) fail("[threads] found {}, expected at least 1", threads);
  try {
    workers_.reserve(static_cast<size_t>(threads) - 1);  // so that no begun thread is lost
    for (int i = 1; i < threads; ++i) {
      workers_.push_back(start([this, i] { work(i); }));
    }
  } catch (const std::system_error& error) {
    // No destructor runs for what was not built, and a joinable thread must not be destroyed.
    join();
    fail("[threads] the system started {} of {} and refused the next: {}", workers_.size() + 1,
         threads, error.code().message());
  } catch (...) {
    join();
    throw;
  }
}

ThreadPool::~ThreadPool() { join(); }

void ThreadPool::join() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    ++generation_;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(int count, const std::function<void(int, int)>& task) {
  if (count <= 0) return;
  if (count == 1 || workers_.empty()) {
    for (int i = 0; i < count; ++i) {
      if (told_.raised()) throw Stopped{};
      task(i, 0);
    }
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    task_ = &task;
    count_ = count;
    error_ = nullptr;
    next_ = 0;
    open_ = true;
    ++generation_;
  }
  wake_.notify_all();
  drain(0);
  // Who comes now comes too late: a worker whose processor is taken by others would hold up a run
  // that has nothing left to do. Only what was begun is waited for.
  open_ = false;
  const auto left = [this] { return inside_.load() == 0; };
  while (!poll(left)) std::this_thread::yield();
  if (error_) std::rethrow_exception(error_);
}

void ThreadPool::work(int worker) {
  uint64_t seen = 0;
  for (;;) {
    const auto called = [this, seen] { return generation_.load() != seen; };
    if (!poll(called)) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, called);
    }
    seen = generation_.load();
    if (stop_) return;
    ++inside_;  // before the look at open_: run() closes first and counts then
    if (open_) drain(worker);
    --inside_;
  }
}

void ThreadPool::drain(int worker) {
  for (;;) {
    const int i = next_.fetch_add(1);
    if (i >= count_) return;
    try {
      if (told_.raised()) {
        next_ = count_;
        throw Stopped{};
      }
      (*task_)(i, worker);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }
}

}  // namespace unmask
