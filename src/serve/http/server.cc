#include "serve/http/server.h"

#include <list>
#include <sys/resource.h>
#include <utility>
#include <vector>

#include "core/error.h"
#include "serve/http/connection.h"
#include "serve/http/error_reply.h"
#include "serve/http/listener.h"

namespace unmask::http {

namespace {

/// Clients that are told about the limit of connections, beyond it; the rest is cut off.
constexpr size_t kTurnedAway = 64;
/// Descriptors of a process that are no connections: weights, logs, the terminal.
constexpr size_t kOtherDescriptors = 128;

/// Asks for as many descriptors as the connections need; where the system refuses, accepting pauses
/// when they run out.
void reserve_descriptors(const Limits& limits) {
  rlimit allowed = {};
  const rlim_t needed = limits.connections + kTurnedAway + kOtherDescriptors;
  if (getrlimit(RLIMIT_NOFILE, &allowed) != 0 || allowed.rlim_cur >= needed) return;
  allowed.rlim_cur = std::min(needed, allowed.rlim_max);
  setrlimit(RLIMIT_NOFILE, &allowed);
}

/// `work` takes descriptors for events and signals, of which there may be none left.
void with_descriptors(const std::function<void()>& work) {
  try {
    work();
  } catch (const boost::system::system_error& e) {
    fail("[server] the system refuses what is needed: {}", e.code().message());
  }
}

}  // namespace

struct Server::State {
  State(Limits limits, Service service) : hub(limits, std::move(service)) {}

  std::shared_ptr<Listener> make_listener() {
    std::shared_ptr<Listener> listener;
    with_descriptors([&] {
      listener = std::make_shared<Listener>(hub.io, hub.limits, [this](Socket socket, Peer peer) {
        welcome(std::move(socket), std::move(peer));
      });
    });
    return listener;
  }

  void add(std::shared_ptr<Listener> listener) {
    listener->accept();
    listeners.push_back(std::move(listener));
  }

  void welcome(Socket socket, Peer peer) {
    const size_t limit = hub.limits.connections;
    const size_t now = hub.live.size();
    if (now >= limit + kTurnedAway) return;
    const auto connection = std::make_shared<Connection>(hub, std::move(socket), std::move(peer));
    hub.live.insert(connection);
    if (now < limit) return connection->start();
    connection->turn_away(error_reply(
        503, "too_many_connections",
        fmt::format("[server] connections: found {}, expected at most {}", now + 1, limit)));
  }

  void stop_accepting() {
    if (std::exchange(hub.closing, true)) return;
    for (const auto& listener : listeners) listener->close();
    for (const auto& connection : copy_live()) connection->close_if_idle();
    hub.end_when_empty();
  }

  void stop() {
    stop_accepting();
    for (const auto& connection : copy_live()) connection->close(Gone::stopped);
  }

  std::vector<std::shared_ptr<Connection>> copy_live() const {
    return {hub.live.begin(), hub.live.end()};
  }

  void repeat(asio::steady_timer& timer, std::chrono::milliseconds interval,
              std::function<void()> work) {
    timer.expires_after(interval);
    timer.async_wait([this, &timer, interval, work = std::move(work)](const error_code& error) {
      if (error) return;
      work();
      repeat(timer, interval, work);
    });
  }

  void wait_signal(asio::signal_set& set, std::function<void(int)> work) {
    set.async_wait([this, &set, work = std::move(work)](const error_code& error, int number) {
      if (error) return;
      work(number);
      wait_signal(set, work);
    });
  }

  Hub hub;
  std::vector<std::shared_ptr<Listener>> listeners;
  std::list<asio::steady_timer> timers;  // their addresses stay
  std::list<asio::signal_set> signals;
};

Server::Server(Limits limits, Service service) {
  UNMASK_CHECK(service.handler, "a server without a handler");
  reserve_descriptors(limits);
  state_ = std::make_unique<State>(limits, std::move(service));
}

Server::~Server() {
  try {
    for (const auto& listener : state_->listeners) listener->close();
    for (const auto& connection : state_->copy_live()) connection->close(Gone::stopped);
  } catch (
      const std::exception&) {  // no memory to tell the handlers: the sockets close with the state
  }
}

int Server::listen_tcp(const std::string& host, int port) {
  auto listener = state_->make_listener();
  const int bound = listener->open_tcp(host, port);
  state_->add(std::move(listener));
  return bound;
}

void Server::listen_unix(const std::string& path) {
  auto listener = state_->make_listener();
  listener->open_unix(path);
  state_->add(std::move(listener));
}

void Server::run() { state_->hub.io.run(); }

void Server::stop_accepting() {
  post([state = state_.get()] { state->stop_accepting(); });
}

void Server::stop() {
  post([state = state_.get()] { state->stop(); });
}

void Server::post(std::function<void()> work) { asio::post(state_->hub.io, std::move(work)); }

void Server::after(std::chrono::milliseconds delay, std::function<void()> work) {
  const auto timer = std::make_shared<asio::steady_timer>(state_->hub.io, delay);
  timer->async_wait([timer, work = std::move(work)](const error_code& error) {
    if (!error) work();
  });
}

void Server::every(std::chrono::milliseconds interval, std::function<void()> work) {
  state_->timers.emplace_back(state_->hub.io);
  state_->repeat(state_->timers.back(), interval, std::move(work));
}

void Server::on_signal(std::initializer_list<int> signals, std::function<void(int)> work) {
  with_descriptors([&] {
    state_->signals.emplace_back(state_->hub.io);
    for (const int number : signals) state_->signals.back().add(number);
  });
  state_->wait_signal(state_->signals.back(), std::move(work));
}

size_t Server::connections() const { return state_->hub.live.size(); }

}  // namespace unmask::http
