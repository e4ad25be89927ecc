// One client: reads requests one after the other, and writes what answers them.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "serve/http/hub.h"

namespace unmask::http {

class ConnectionExchange;

/// A read is always pending, since only that shows that a silent client has gone. It stops while
/// Limits::pipelined bytes wait behind a request in progress.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Hub& hub, Socket socket, Peer peer);

  /// Waits for requests.
  void start();
  /// Says no to a client that has not asked yet.
  void turn_away(const Reply& reply);
  /// Closes when no request is in progress or on its way.
  void close_if_idle();
  void close(Gone reason);
  bool closed() const { return !io_; }

  const Peer& peer() const { return peer_; }
  // For the exchange in progress:
  void send(std::string bytes);
  size_t queued() const { return closed() ? 0 : sending_.size() - sent_ + waiting_.size(); }
  /// Everything has been queued; the next request is taken when it has been written.
  void answered(bool keep_alive);
  bool may_stay() const { return hub_ && !hub_->closing; }
  Hub* hub() const { return hub_; }  // nullptr: closed

 private:
  using Clock = std::chrono::steady_clock;
  enum class Phase : uint8_t { head, body, answer, drain };
  struct Io {
    Socket socket;
    asio::steady_timer timer;
  };

  void read();
  void received(const error_code& error, size_t count);
  void process();
  /// Each takes what it can from pending_; false: more must come, or the phase has changed.
  bool read_head_part();
  bool read_body_part();
  void head_done();
  void begin_body();
  void serve();
  std::shared_ptr<ConnectionExchange> begin_exchange();
  /// Answers outside an exchange, and closes.
  void refuse(const Reply& reply, const std::string& fault = {});
  void next_request();
  void write();
  void written(const error_code& error, size_t count);
  void flushed();
  void drain();

  void arm(Limits::Time delay, void (Connection::*late)());
  void disarm();
  void head_late();
  void body_late();
  void check_body();
  void write_late() { close(Gone::slow_client); }
  void idle_late() { close(Gone::disconnect); }

  Hub* hub_;
  Peer peer_;
  std::optional<Io> io_;  // nothing: closed
  uint64_t timer_turn_ = 0;

  Phase phase_ = Phase::head;
  std::array<char, 8192> incoming_;
  std::string pending_;  // read and not looked at
  bool reading_ = false;
  std::optional<Parser> parser_;
  std::string raw_head_;
  Head head_;
  Clock::time_point head_time_;
  size_t body_bytes_ = 0;
  int drain_reads_ = 0;

  std::weak_ptr<ConnectionExchange> exchange_;
  std::string sending_, waiting_;
  size_t sent_ = 0;  // of sending_
  bool writing_ = false;
  bool answered_ = false;
  bool keep_alive_ = false;
};

}  // namespace unmask::http
