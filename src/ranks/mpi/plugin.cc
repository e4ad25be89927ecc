// Ranks as processes of MPI, version 3.
#include "ranks/mpi/plugin.h"

#include <algorithm>
#include <chrono>
#include <mpi.h>
#include <thread>
#include <utility>

#include "core/error.h"
#include "ranks/mpi_ranks.h"

namespace unmask {
namespace {

/// Waits ever longer: the next message of a pass comes within microseconds, that of the next
/// request perhaps in an hour.
class Patience {
 public:
  void wait() {
    using namespace std::chrono_literals;
    const auto waited = std::chrono::steady_clock::now() - begin_;
    if (waited < 20us) return;
    if (waited < 1ms) return std::this_thread::yield();
    std::this_thread::sleep_for(waited < 1s ? 50us : 2ms);
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// Kinds of messages, which never meet.
constexpr int kOrder = 0;     // of rank 0
constexpr int kExchange = 1;  // of any to any

/// Errors of MPI end all processes, which is its own default.
class MpiRanks final : public Communicator {
 public:
  explicit MpiRanks(std::function<void(const std::string&)> last_words)
      : last_words_(std::move(last_words)) {
    MPI_Comm_dup(MPI_COMM_WORLD, &world_);
    MPI_Comm_rank(world_, &rank_);
    MPI_Comm_size(world_, &size_);
  }
  ~MpiRanks() override {
    MPI_Comm_free(&world_);
    MPI_Finalize();
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void send(std::span<const std::byte> message) override {
    for (int r = 1; r < size_; ++r) {
      MPI_Send(message.data(), static_cast<int>(message.size()), MPI_BYTE, r, kOrder, world_);
    }
  }

  std::vector<std::byte> receive() override {
    MPI_Message message{};
    MPI_Status status{};
    Patience patience;
    for (int found = 0; found == 0;) {
      MPI_Improbe(0, kOrder, world_, &found, &message, &status);
      if (found == 0) patience.wait();
    }
    int count = 0;
    MPI_Get_count(&status, MPI_BYTE, &count);
    std::vector<std::byte> bytes(static_cast<size_t>(count));
    MPI_Mrecv(bytes.data(), count, MPI_BYTE, &message, MPI_STATUS_IGNORE);
    return bytes;
  }

  [[noreturn]] void give_up(const std::string& reason) override {
    if (last_words_) last_words_(reason);
    MPI_Abort(world_, 1);
    throw Error(reason);  // for the compiler: MPI_Abort does not return
  }

 protected:
  void gather_at_once(const std::byte* mine, std::span<const int64_t> counts,
                      std::byte* all) override {
    counts_.assign(counts.begin(), counts.end());
    places_.resize(counts.size());
    int place = 0;
    for (size_t r = 0; r < counts.size(); ++r) {
      places_[r] = place;
      place += counts_[r];
    }
    MPI_Allgatherv(mine == nullptr ? MPI_IN_PLACE : mine, counts_[static_cast<size_t>(rank_)],
                   MPI_BYTE, all, counts_.data(), places_.data(), MPI_BYTE, world_);
  }

  void exchange_all(const std::byte* mine, std::span<const int64_t> to, std::byte* all,
                    std::span<const int64_t> from) override {
    under_way_.clear();
    for (size_t r = 0; r < from.size(); all += from[r++]) {
      each_message(from[r], [&](int64_t place, int bytes) {
        MPI_Irecv(all + place, bytes, MPI_BYTE, static_cast<int>(r), kExchange, world_,
                  &under_way_.emplace_back());
      });
    }
    for (size_t r = 0; r < to.size(); mine += to[r++]) {
      each_message(to[r], [&](int64_t place, int bytes) {
        MPI_Isend(mine + place, bytes, MPI_BYTE, static_cast<int>(r), kExchange, world_,
                  &under_way_.emplace_back());
      });
    }
    MPI_Waitall(static_cast<int>(under_way_.size()), under_way_.data(), MPI_STATUSES_IGNORE);
  }

 private:
  /// Calls start(place, bytes) for each message that so many bytes travel in.
  template <typename Start>
  static void each_message(int64_t bytes, const Start& start) {
    for (int64_t place = 0; place < bytes; place += kMostAtOnce) {
      start(place, static_cast<int>(std::min(bytes - place, kMostAtOnce)));
    }
  }

  std::function<void(const std::string&)> last_words_;
  MPI_Comm world_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
  std::vector<int> counts_;
  std::vector<int> places_;
  std::vector<MPI_Request> under_way_;
};

/// The thread that loads a model need not be the one that computes with it, but never do two call
/// at a time.
constexpr int kThreads = MPI_THREAD_SERIALIZED;

/// Why there is no communicator; empty after MPI has started.
const char* start() {
  int started = 0;
  MPI_Initialized(&started);
  if (started != 0) return "[mpi] ranks were created before in this process";
  int threads = 0;
  MPI_Init_thread(nullptr, nullptr, kThreads, &threads);
  if (threads >= kThreads) return "";
  MPI_Finalize();
  return "[mpi] this MPI allows calls of one thread only, expected MPI_THREAD_SERIALIZED";
}

}  // namespace
}  // namespace unmask

#pragma GCC visibility push(default)
extern "C" {

// NOLINTBEGIN(readability-identifier-naming): symbols of C
extern const char unmask_mpi_interface[];
const char unmask_mpi_interface[] = UNMASK_INTERFACE;

unmask::Communicator* unmask_mpi_create_ranks(unmask::MpiCall* call) {
  const std::string_view problem = unmask::start();
  problem.copy(call->error, sizeof call->error - 1);
  if (!problem.empty()) return nullptr;
  return new unmask::MpiRanks(call->options->last_words);
}
// NOLINTEND(readability-identifier-naming)

}  // extern "C"
#pragma GCC visibility pop
