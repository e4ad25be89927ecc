// Ranks that are threads of one process: what they compute together is what processes compute.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/error.h"
#include "ranks/communicator.h"

namespace unmask::testing {

/// Outlives the threads that use its ranks.
class ThreadRanks {
 public:
  explicit ThreadRanks(int size, int64_t most_at_once = Communicator::kMostAtOnce)
      : given_(static_cast<size_t>(size)),
        shares_(static_cast<size_t>(size)),
        messages_(static_cast<size_t>(size)) {
    for (int r = 0; r < size; ++r) ranks_.push_back(std::make_unique<Rank>(*this, r, most_at_once));
  }

  /// Calls work(rank) on a thread each; rethrows what the lowest rank has thrown.
  void each(const std::function<void(Communicator&)>& work) {
    std::vector<std::exception_ptr> thrown(ranks_.size());
    std::vector<std::thread> threads;
    for (size_t r = 0; r < ranks_.size(); ++r) {
      threads.emplace_back([&, r] {
        try {
          work(*ranks_[r]);
        } catch (...) {
          thrown[r] = std::current_exception();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::exception_ptr& error : thrown) {
      if (error) std::rethrow_exception(error);
    }
  }

 private:
  class Rank final : public Communicator {
   public:
    Rank(ThreadRanks& all, int rank, int64_t most_at_once)
        : Communicator(most_at_once), all_(all), rank_(rank) {}

    int rank() const override { return rank_; }
    int size() const override { return static_cast<int>(all_.given_.size()); }

    void send(std::span<const std::byte> message) override {
      const std::lock_guard lock(all_.lock_);
      for (size_t r = 1; r < all_.messages_.size(); ++r) {
        all_.messages_[r].emplace_back(message.begin(), message.end());
      }
      all_.changed_.notify_all();
    }

    std::vector<std::byte> receive() override {
      std::unique_lock lock(all_.lock_);
      auto& messages = all_.messages_[static_cast<size_t>(rank_)];
      wait(lock, [&] { return !messages.empty(); });
      std::vector<std::byte> message = std::move(messages.front());
      messages.pop_front();
      return message;
    }

    [[noreturn]] void give_up(const std::string& reason) override {
      const std::lock_guard lock(all_.lock_);
      if (all_.reason_.empty()) all_.reason_ = reason;  // the first is what ends them all
      all_.changed_.notify_all();
      throw Error(all_.reason_);
    }

   protected:
    void gather_at_once(const std::byte* mine, std::span<const int64_t> counts,
                        std::byte* all) override {
      {
        const std::lock_guard lock(all_.lock_);
        const auto place = std::accumulate(counts.begin(), counts.begin() + rank_, int64_t{0});
        all_.given_[static_cast<size_t>(rank_)] = mine == nullptr ? all + place : mine;
      }
      meet();
      for (size_t r = 0; r < counts.size(); all += counts[r++]) {
        if (all_.given_[r] != all) std::copy_n(all_.given_[r], counts[r], all);
      }
      meet();
    }
    void exchange_all(const std::byte* mine, std::span<const int64_t> to, std::byte* all,
                      std::span<const int64_t> from) override {
      {
        const std::lock_guard lock(all_.lock_);
        all_.given_[static_cast<size_t>(rank_)] = mine;
        all_.shares_[static_cast<size_t>(rank_)].assign(to.begin(), to.end());
      }
      meet();
      for (size_t r = 0; r < from.size(); all += from[r++]) {
        const std::vector<int64_t>& shares = all_.shares_[r];
        if (shares[static_cast<size_t>(rank_)] != from[r]) {
          throw Error("[test] a rank gives what another does not expect");
        }
        const auto place = std::accumulate(shares.begin(), shares.begin() + rank_, int64_t{0});
        std::copy_n(all_.given_[r] + place, from[r], all);
      }
      meet();
    }

   private:
    /// Returns when all ranks are here.
    void meet() {
      std::unique_lock lock(all_.lock_);
      const int64_t meeting = all_.meetings_;
      if (++all_.arrived_ == size()) {
        all_.arrived_ = 0;
        ++all_.meetings_;
        all_.changed_.notify_all();
        return;
      }
      wait(lock, [&] { return all_.meetings_ != meeting; });
    }
    /// Throws Error when a rank has given up and `done` cannot become true any more.
    template <typename Done>
    void wait(std::unique_lock<std::mutex>& lock, const Done& done) {
      all_.changed_.wait(lock, [&] { return done() || !all_.reason_.empty(); });
      if (!done()) throw Error(all_.reason_);
    }

    ThreadRanks& all_;
    int rank_;
  };

  std::mutex lock_;
  std::condition_variable changed_;
  std::vector<const std::byte*> given_;       // to the present gather or exchange, by rank
  std::vector<std::vector<int64_t>> shares_;  // of what is given to an exchange, by rank
  std::vector<std::deque<std::vector<std::byte>>> messages_;  // not yet received, by rank
  int arrived_ = 0;
  int64_t meetings_ = 0;
  std::string reason_;  // not empty: a rank has given up
  std::vector<std::unique_ptr<Rank>> ranks_;
};

}  // namespace unmask::testing
