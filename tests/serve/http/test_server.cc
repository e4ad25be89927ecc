#include "serve/http/test_server.h"

#include <future>

#include "core/error.h"
#include "serve/http/error_reply.h"

namespace unmask::http {

Limits short_limits() {
  Limits limits;
  limits.head_deadline = limits.idle_deadline = Limits::Time(400);
  limits.body_deadline = Limits::Time(800);
  limits.body_grace = Limits::Time(300);
  limits.write_deadline = Limits::Time(5000);
  limits.drain_deadline = Limits::Time(200);
  return limits;
}

bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

TestServer::TestServer(Limits limits, Service service)
    : server_(limits, complete(std::move(service))),
      port_(server_.listen_tcp("127.0.0.1", 0)),
      thread_([this] { server_.run(); }) {}

TestServer::~TestServer() {
  server_.stop();
  if (thread_.joinable()) thread_.join();
  open_.clear();
}

Service TestServer::complete(Service service) {
  if (!service.handler) {
    service.handler = [this](const std::shared_ptr<Exchange>& exchange) { handle(exchange); };
  }
  service.observer = [this](const Answered& answered) {
    const std::lock_guard lock(mutex_);
    answered_.push_back(answered);
  };
  return service;
}

void TestServer::handle(const std::shared_ptr<Exchange>& exchange) {
  const Request& request = exchange->request();
  if (request.path == "/throw") fail("[test] thing: found none, expected one");
  if (request.path == "/drop") return;
  if (request.path == "/hold") return keep(exchange);
  if (request.path == "/stream") {
    keep(exchange);
    return exchange->start_stream("text/event-stream", {{"X-Accel-Buffering", "no"}});
  }
  if (request.path == "/health") return exchange->reply({.body = R"({"status":"ok"})"});
  if (request.path == "/echo") {
    return exchange->reply({.body = request.body, .content_type = "text/plain"});
  }
  if (request.path == "/path") {
    return exchange->reply({.body = request.path + "?" + request.query});
  }
  exchange->reply(
      error_reply(404, "not_found", "[test] path: found another, expected a known one"));
}

void TestServer::keep(const std::shared_ptr<Exchange>& exchange) {
  open_.insert(exchange);
  exchange->on_gone([this, exchange](Gone reason) {
    open_.erase(exchange);
    const std::lock_guard lock(mutex_);
    gone_.insert(reason);
  });
}

void TestServer::inside(const std::function<void()>& work) {
  std::promise<void> done;
  server_.post([&] {
    work();
    done.set_value();
  });
  done.get_future().wait();
}

size_t TestServer::tick(const std::string& text) {
  size_t count = 0;
  inside([&] {
    count = open_.size();
    for (const auto& exchange : open_) exchange->write("data: " + text + "\n\n");
  });
  return count;
}

void TestServer::end() {
  inside([&] {
    for (const auto& exchange : open_) {
      exchange->write("data: end\n\n");
      exchange->finish();
      exchange->write("data: behind the end\n\n");
    }
    open_.clear();
  });
}

void TestServer::end_held() {
  inside([&] {
    for (const auto& exchange : open_) exchange->reply({.body = "held"});
    open_.clear();
  });
}

size_t TestServer::streams() {
  size_t count = 0;
  inside([&] { count = open_.size(); });
  return count;
}

size_t TestServer::connections() {
  size_t count = 0;
  inside([&] { count = server_.connections(); });
  return count;
}

int TestServer::gone(Gone reason) {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(gone_.count(reason));
}

std::vector<Answered> TestServer::answered() {
  const std::lock_guard lock(mutex_);
  return answered_;
}

}  // namespace unmask::http
