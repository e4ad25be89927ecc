// A server on a thread of its own, with endpoints that tests talk to.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "serve/http/server.h"

namespace unmask::http {

/// Deadlines that tests can wait for. A busy machine misses them, so the others take the defaults.
Limits short_limits();

/// True as soon as the condition holds; false when it does not for long.
bool eventually(const std::function<bool()>& condition);

/// GET /health, POST /echo (the body comes back), /stream (each tick() sends an event, the last one
/// is end()), /hold (never answered), /throw, /drop (let go without an answer), /path (what was
/// read). Everything else is 404.
class TestServer {
 public:
  explicit TestServer(Limits limits = {}, Service service = {});
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  int port() const { return port_; }
  Server& server() { return server_; }
  /// Waits until run() has returned.
  void join() { thread_.join(); }

  /// Writes an event to every stream and returns how many there are.
  size_t tick(const std::string& text);
  /// Writes "end" to every stream and finishes it.
  void end();
  /// Replies to everything that /hold keeps.
  void end_held();
  size_t streams();
  /// How often clients went in this way, and what the observer heard.
  int gone(Gone reason);
  std::vector<Answered> answered();
  size_t connections();

 private:
  /// Runs on the server's thread and waits for it.
  void inside(const std::function<void()>& work);
  void handle(const std::shared_ptr<Exchange>& exchange);
  void keep(const std::shared_ptr<Exchange>& exchange);
  Service complete(Service service);

  std::set<std::shared_ptr<Exchange>> open_;  // the server's thread only
  std::mutex mutex_;
  std::multiset<Gone> gone_;
  std::vector<Answered> answered_;
  Server server_;
  int port_;
  std::thread thread_;
};

}  // namespace unmask::http
