// The server: what comes in over HTTP goes to the endpoints, their work to the engine.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "serve/access.h"
#include "serve/api/context.h"
#include "serve/api/streams.h"
#include "serve/http/server.h"
#include "serve/metrics.h"
#include "serve/schedule/scheduler.h"
#include "serve/worker.h"
#include "session/model.h"

namespace unmask {

struct ServiceOptions {
  http::Limits limits{};
  http::AccessOptions access{};
  SchedulerOptions scheduler{};
  std::chrono::milliseconds ping{10'000};
  std::chrono::milliseconds grace{10'000};
  std::string version{};
  std::string model{};   // as it is called
  std::string device{};  // for metrics
  /// Called by a second signal while the server ends; optional.
  std::function<void()> impatient{};
  /// Hears of every answer, a line of JSON; optional.
  std::function<void(const std::string&)> log{};
};

/// Runs on one thread, with a thread that prepares requests and the engine's. Until there is a
/// model, everything that needs one is 503.
class Service {
 public:
  explicit Service(ServiceOptions options);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  http::Server& server() { return server_; }
  /// Takes a model into service; it outlives this. Any thread, once.
  void open(Model& model, ApiContext context);
  /// Serves until a signal or stop() ends it, gracefully.
  void run();
  /// Ends as SIGTERM does: no more connections, what runs may end within the grace. Any thread.
  void shut_down();

 private:
  using ExchangePtr = std::shared_ptr<http::Exchange>;

  http::Service callbacks();
  std::optional<http::Reply> gate(const http::Head& head, const http::Peer& peer);
  void handle(const ExchangePtr& exchange);
  /// Health, metrics and the page; false for other paths.
  bool answer_at_once(const ExchangePtr& exchange);
  void prepare(const ExchangePtr& exchange);
  void observe(const http::Answered& answered);
  void end();

  ServiceOptions options_;
  Metrics metrics_;
  http::Access access_;
  Streams streams_;
  http::Server server_;
  // Once there is a model.
  std::optional<ApiContext> context_;
  std::unique_ptr<Scheduler> scheduler_;
  std::vector<Desk> desks_;  // one a key, or one; empty while the model loads
  bool ending_ = false;
  std::unique_ptr<Worker> worker_;
};

}  // namespace unmask
