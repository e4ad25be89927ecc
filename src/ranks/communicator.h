// The processes that compute one model together, its ranks, and how bytes travel between them. Rank
// 0 leads: it tells the others what comes next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace unmask {

/// What one rank got from the others in gathers and exchanges.
struct Traffic {
  int64_t gathers = 0;  // and exchanges
  int64_t bytes = 0;
};

class Communicator {
 public:
  /// The most bytes of one gather: counts and places of MPI are ints.
  static constexpr int64_t kMostAtOnce = std::numeric_limits<int>::max();

  explicit Communicator(int64_t most_at_once = kMostAtOnce) : most_at_once_(most_at_once) {}
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  bool leads() const { return rank() == 0; }

  /// Every rank gives counts[rank] bytes, `mine`, and gets those of all, rank after rank, in `all`.
  /// All ranks call it with the same counts, and all with null where what they give lies in its
  /// place in `all` already. Throws Error when a rank has given up.
  void gather(const std::byte* mine, std::span<const int64_t> counts, std::byte* all);
  /// Every rank gives rank r to[r] bytes, which lie in `mine` rank after rank, and gets from[r]
  /// bytes of it, rank after rank, in `all`; itself nothing. All ranks call it, each with what the
  /// others expect. Of host memory. Throws Error when a rank has given up.
  void exchange(const std::byte* mine, std::span<const int64_t> to, std::byte* all,
                std::span<const int64_t> from);
  /// By this rank, so far.
  const Traffic& traffic() const { return traffic_; }

  /// From rank 0 to each of the others, which receive its messages in order.
  virtual void send(std::span<const std::byte> message) = 0;
  /// Waits for the next message of rank 0, without taking a processor from those who compute.
  virtual std::vector<std::byte> receive() = 0;

  /// Ends all ranks, because this one cannot go on in the midst of what all do together.
  [[noreturn]] virtual void give_up(const std::string& reason) = 0;

 protected:
  /// The same where all of it is at most most_at_once bytes.
  virtual void gather_at_once(const std::byte* mine, std::span<const int64_t> counts,
                              std::byte* all) = 0;
  virtual void exchange_all(const std::byte* /*mine*/, std::span<const int64_t> /*to*/,
                            std::byte* /*all*/, std::span<const int64_t> /*from*/) {
    UNMASK_CHECK(false, "ranks of host memory");
  }

 private:
  int64_t most_at_once_;
  Traffic traffic_;
};

/// The texts of all ranks, in their order. Every rank calls it.
std::vector<std::string> gather_texts(Communicator& ranks, std::string_view mine);

}  // namespace unmask
