// Counts what the server does, in Prometheus' text format. No label holds anything that a client
// wrote.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "generate/engine.h"

namespace unmask {

/// Counters, histograms and gauges whose names begin with unmask_. Any thread.
class Metrics {
 public:
  struct Build {
    std::string version, model, device;
  };
  explicit Metrics(const Build& build);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// A reply went out: `endpoint` is one of the server's own paths.
  void count_reply(std::string_view endpoint, int status, double seconds);
  /// queue_full, timeout, shutting_down, unauthorized, ...
  void count_refusal(std::string_view reason);
  /// disconnect, slow_client, stop, deadline or shutdown.
  void count_cancel(std::string_view reason);
  /// Work joined the engine after this many seconds in the queue.
  void count_start(double seconds_waited);
  void count_step(const StepEvent& event);
  /// A step of the engine over so many requests.
  void count_engine_step(double seconds, size_t requests);
  void count_result(const Result& result);
  /// Tokens of a generation that was answered; `passes` of all its choices.
  void count_tokens(int prompt, int answer, int canvas, int passes, std::string_view method);
  /// From the request's arrival to the first text that went out.
  void count_first_text(double seconds);
  void set_state(int running, int waiting, size_t kv_bytes, size_t prefix_bytes);
  void set_connections(size_t connections);
  void set_memory_budget(int64_t bytes);

  /// All of them, as GET /metrics shows them.
  std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace unmask
