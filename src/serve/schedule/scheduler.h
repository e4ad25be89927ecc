// The engine's thread: takes work from many clients and shares the model among them.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

#include "serve/schedule/work.h"

namespace unmask {

class Metrics;

struct SchedulerOptions {
  EngineOptions engine;  // max_running: the choices that run side by side
  int queue = 64;        // pieces of work that wait at most
  size_t owners =
      1;  // clients that are told apart: none of several has more than half of the queue
  std::chrono::seconds queue_timeout{120};
};

/// Runs work as it comes: generations share the steps of one Engine, fair by rows; errands take
/// turns with them. What becomes of one does not depend on the others.
class Scheduler {
 public:
  /// Runs a function on the server's thread.
  using Post = std::function<void(std::function<void()>)>;

  /// `model` and `metrics` outlive the scheduler; nobody else uses the model.
  Scheduler(Transformer& model, SchedulerOptions options, Metrics& metrics, Post post);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Takes work of one of the owners in. Throws ApiError: 429 with the seconds to wait when the
  /// queue is full or the owner has its share of it, 503 when the server ends. Any thread.
  WorkId submit(Generation generation, size_t owner = 0);
  WorkId submit(Errand errand, size_t owner = 0);
  /// Ends work, or one choice of it, before the next step; nobody is told of work that is
  /// cancelled whole. Nothing happens when it has ended. Any thread.
  void cancel(WorkId work);
  void cancel_choice(WorkId work, int choice);

  /// No more work: what waits is refused, what runs may go on for `grace`. `when_empty` is called
  /// on the server's thread once nothing runs. Any thread, once.
  void shut_down(std::chrono::milliseconds grace, std::function<void()> when_empty);

  int running() const { return running_; }
  int waiting() const { return waiting_; }
  /// Seconds since the engine's thread last did something while it had work.
  double stalled() const;

 private:
  using Clock = std::chrono::steady_clock;

  struct Choice {
    RequestId request = -1;
    bool over = false;
  };
  struct Job {
    std::variant<Generation, Errand> what;
    size_t owner;
    Clock::time_point submitted;
    std::vector<Choice> choices{};
    bool started = false;
  };
  struct Message {
    enum class Kind { add, cancel, cancel_choice, shut_down } kind;
    WorkId work = 0;
    int choice = 0;
    std::shared_ptr<Job> job{};
    Clock::time_point end{};  // of the grace
  };

  WorkId enqueue(std::variant<Generation, Errand> what, size_t owner);
  /// With mutex_ held.
  void refuse_beyond_queue(size_t owner) const;
  void note_no_longer_waiting(const Job& job);
  void send(Message message);
  void run();
  /// Takes messages; waits for some while there is nothing to do. False at the end.
  bool receive();
  void handle(Message& message);
  void start(WorkId id, Job& job);
  void note_joined();
  void expire();
  void run_errand();
  void step();
  void collect();
  void fail(WorkId id, const ApiError& error);
  void forget(WorkId id);
  void say(std::function<void()> what) { outbox_.push_back(std::move(what)); }
  void flush();

  Metrics& metrics_;
  SchedulerOptions options_;
  Post post_;
  Transformer& model_;
  Engine engine_;

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Message> inbox_;
  std::vector<int> waiting_of_;  // by owner
  bool closed_ = false;
  WorkId next_id_ = 0;
  std::function<void()> when_empty_;

  std::atomic<int> running_{0};
  std::atomic<int> waiting_{0};
  std::atomic<int64_t> last_sign_{0};  // nanoseconds of the steady clock
  std::atomic<double> mean_seconds_{1};

  // The engine's thread alone.
  std::map<WorkId, std::shared_ptr<Job>> jobs_;
  std::map<RequestId, std::pair<WorkId, int>> owners_;
  std::deque<WorkId> errands_;
  Clock::time_point grace_end_ = Clock::time_point::max();
  std::vector<std::function<void()>> outbox_;
  std::thread thread_;
};

}  // namespace unmask
