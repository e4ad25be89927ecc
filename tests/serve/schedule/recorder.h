// Stand-ins for the server around a scheduler: its thread's queue, and clients that listen.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "serve/schedule/work.h"

namespace unmask::testing {

/// What is posted waits here until the test runs it.
class Mailbox {
 public:
  std::function<void(std::function<void()>)> post() {
    return [this](std::function<void()> work) {
      const std::lock_guard lock(mutex_);
      posted_.push_back(std::move(work));
      arrived_.notify_one();
    };
  }

  /// Runs what comes until the condition holds; false when it does not for a minute.
  bool run_until(const std::function<bool()>& holds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!holds()) {
      std::deque<std::function<void()>> now;
      {
        std::unique_lock lock(mutex_);
        // Not everything that conditions ask for is posted, so look again now and then.
        arrived_.wait_for(lock, std::chrono::milliseconds(2), [&] { return !posted_.empty(); });
        now.swap(posted_);
      }
      for (const auto& work : now) work();
      if (std::chrono::steady_clock::now() > end) return false;
    }
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::function<void()>> posted_;
};

/// Keeps what it hears.
struct Recorder final : Watcher {
  void progressed(const Progress& progress) override { steps.push_back(progress); }
  void ended(int choice, Result result) override { results[choice] = std::move(result); }
  void failed(const ApiError& error) override { failure = error; }

  bool over(size_t choices = 1) const { return failure || results.size() == choices; }

  std::vector<Progress> steps;
  std::map<int, Result> results;
  std::optional<ApiError> failure;
};

}  // namespace unmask::testing
