// A fixed pool of threads for loops over independent tasks.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "core/stop.h"

namespace unmask {

/// Runs numbered tasks on `threads` threads, the caller among them. Tasks are handed out one by
/// one, so uneven tasks balance themselves and a thread that gets no processor holds up nobody;
/// which thread ran a task must not change its result.
class ThreadPool {
 public:
  /// Begins a thread that runs `body`; throws std::system_error where the system refuses.
  using Starter = std::function<std::thread(std::function<void()> body)>;

  /// `threads` >= 1, the calling thread included. Throws Error otherwise, and where the system
  /// refuses one of them.
  explicit ThreadPool(int threads, StopToken stop = {}) : ThreadPool(threads, start_thread, stop) {}
  ThreadPool(int threads, const Starter& start, StopToken stop = {});
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }
  /// How many calls of run() have been shared with the workers: each costs a barrier.
  uint64_t shared_runs() const { return generation_; }

  /// Calls `task(i, worker)` once for every i in [0, count), worker in [0, threads()), and returns
  /// when all are done. The first exception thrown by a task is rethrown here; once the pool is
  /// told to stop, the tasks that have not begun are left out and Stopped is thrown. Not reentrant:
  /// one caller at a time, and no nested call.
  void run(int count, const std::function<void(int task, int worker)>& task);

 private:
  static std::thread start_thread(std::function<void()> body) {
    return std::thread(std::move(body));
  }
  /// Ends the workers that have begun.
  void join();
  void work(int worker);
  void drain(int worker);

  const StopToken told_;
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<uint64_t> generation_{0};  // rises with every run, and once more to stop
  std::atomic<bool> stop_{false};
  std::atomic<int> next_{0};
  std::atomic<bool> open_{false};  // whether workers may still join the current run
  std::atomic<int> inside_{0};     // workers that look for a task or are at one
  int count_ = 0;
  const std::function<void(int, int)>* task_ = nullptr;
  std::exception_ptr error_;
};

}  // namespace unmask
