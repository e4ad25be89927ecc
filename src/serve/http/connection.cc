#include "serve/http/connection.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "serve/http/connection_exchange.h"
#include "serve/http/error_reply.h"
#include "serve/http/head.h"
#include "serve/http/reply_text.h"

namespace unmask::http {

Connection::Connection(Hub& hub, Socket socket, Peer peer)
    : hub_(&hub), peer_(std::move(peer)), io_(Io{std::move(socket), asio::steady_timer(hub.io)}) {}

void Connection::start() {
  next_request();
  arm(hub_->limits.head_deadline, &Connection::head_late);
}

void Connection::turn_away(const Reply& reply) {
  refuse(reply);
  read();
}

void Connection::close_if_idle() {
  if (phase_ == Phase::head && pending_.empty() && raw_head_.empty()) close(Gone::disconnect);
}

void Connection::close(Gone reason) {
  if (closed()) return;
  const auto self = shared_from_this();
  const auto exchange = exchange_.lock();
  Hub& hub = *hub_;
  // Later, so that nobody is called back from inside a call of their own.
  if (auto callback = exchange ? exchange->gone(reason) : nullptr) {
    asio::post(hub.io, [callback = std::move(callback), reason] { callback(reason); });
  }
  io_.reset();
  hub_ = nullptr;
  hub.live.erase(self);
  hub.end_when_empty();
}

// Reading.

void Connection::read() {
  if (closed() || reading_) return;
  if (phase_ == Phase::answer && pending_.size() >= hub_->limits.pipelined) return;
  reading_ = true;
  io_->socket.async_read_some(asio::buffer(incoming_),
                              [self = shared_from_this()](const error_code& error, size_t count) {
                                self->reading_ = false;
                                self->received(error, count);
                              });
}

void Connection::received(const error_code& error, size_t count) {
  if (closed()) return;
  if (error) return close(Gone::disconnect);
  if (phase_ == Phase::drain) {
    if (++drain_reads_ >= hub_->limits.drain_reads) return close(Gone::disconnect);
  } else {
    if (phase_ == Phase::head && pending_.empty() && raw_head_.empty()) {
      arm(hub_->limits.head_deadline, &Connection::head_late);
    }
    if (phase_ == Phase::body) body_bytes_ += count;
    pending_.append(incoming_.data(), count);
    process();
  }
  read();
}

void Connection::process() {
  while (!closed() && ((phase_ == Phase::head && read_head_part()) ||
                       (phase_ == Phase::body && read_body_part()))) {
  }
}

bool Connection::read_head_part() {
  if (pending_.empty()) return false;
  error_code error;
  const size_t used = parser_->put(asio::buffer(pending_), error);
  raw_head_.append(pending_, 0, used);
  pending_.erase(0, used);
  const bool waits = error == beast::http::error::need_more;
  const bool large = raw_head_.size() + (waits ? pending_.size() : 0) > hub_->limits.head;
  if (large || error == beast::http::error::header_limit) {
    refuse(refuse_large_head(raw_head_ + pending_, hub_->limits));
  } else if (error && !waits) {
    refuse(refuse_syntax(error, hub_->limits));
  } else if (parser_->is_header_done()) {
    head_done();
    return true;
  }
  return false;
}

void Connection::head_done() {
  head_time_ = Clock::now();
  auto read = read_head(parser_->get().base(), raw_head_, hub_->limits);
  if (auto* refusal = std::get_if<Reply>(&read)) return refuse(*refusal);
  head_ = std::move(std::get<Head>(read));
  const bool complete = parser_->is_done();
  std::optional<Reply> answer;
  try {
    if (hub_->service.gate) answer = hub_->service.gate(head_, peer_);
  } catch (const std::exception& e) {
    return refuse(error_reply(500, "internal_error",
                              "[server] request: found a fault of the server"
                              ", expected none"),
                  e.what());
  }
  if (!answer) return complete ? serve() : begin_body();
  // Where no body is on its way the connection may live on, as after any answer.
  if (complete) return begin_exchange()->reply(*std::move(answer));
  refuse(*answer);
}

void Connection::begin_body() {
  phase_ = Phase::body;
  body_bytes_ = pending_.size();
  if (expects_continue(head_) && pending_.empty()) send("HTTP/1.1 100 Continue\r\n\r\n");
  check_body();
}

bool Connection::read_body_part() {
  if (pending_.empty()) return false;
  error_code error;
  const size_t used = parser_->put(asio::buffer(pending_), error);
  pending_.erase(0, used);
  if (error && error != beast::http::error::need_more) {
    refuse(refuse_syntax(error, hub_->limits));
  } else if (parser_->is_done()) {
    serve();
  } else if (used == 0 && pending_.size() >= hub_->limits.pipelined) {
    refuse(error_reply(400, "bad_request",
                       "[http] chunk: found an endless line, expected a size and a line end"));
  } else {
    return used > 0;
  }
  return false;
}

std::shared_ptr<ConnectionExchange> Connection::begin_exchange() {
  phase_ = Phase::answer;
  disarm();
  raw_head_.clear();
  Request request{std::move(head_), std::move(parser_->get().body())};
  parser_.reset();
  auto exchange =
      std::make_shared<ConnectionExchange>(shared_from_this(), std::move(request), head_time_);
  exchange_ = exchange;
  return exchange;
}

void Connection::serve() {
  const auto exchange = begin_exchange();
  try {
    hub_->service.handler(exchange);
  } catch (const std::exception& e) {
    exchange->fault(e.what());
  }
}

void Connection::refuse(const Reply& reply, const std::string& fault) {
  phase_ = Phase::answer;
  disarm();
  const std::string id = random_id();
  if (hub_->service.observer) {
    const std::chrono::duration<double> time = Clock::now() - head_time_;
    hub_->service.observer({id, head_.method, head_.path, peer_, reply.status, std::nullopt, fault,
                            head_.method.empty() ? 0 : time.count()});
  }
  Headers headers = reply_headers(id, /*keep_alive=*/false);
  if (hub_->service.headers && !head_.method.empty()) {
    std::ranges::move(hub_->service.headers(head_), std::back_inserter(headers));
  }
  std::ranges::copy(reply.headers, std::back_inserter(headers));
  const bool body = head_.method != "HEAD";
  send(reply_text(reply, std::move(headers), body));
  answered(/*keep_alive=*/false);
}

void Connection::next_request() {
  phase_ = Phase::head;
  head_ = {};
  raw_head_.clear();
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(hub_->limits.head));
  parser_->body_limit(hub_->limits.body);
  if (pending_.empty()) {
    arm(hub_->limits.idle_deadline, &Connection::idle_late);
  } else {
    arm(hub_->limits.head_deadline, &Connection::head_late);
  }
  process();
  read();
}

// Writing.

void Connection::send(std::string bytes) {
  if (closed() || bytes.empty()) return;
  if (waiting_.empty()) {
    waiting_ = std::move(bytes);
  } else {
    waiting_ += bytes;
  }
  if (!writing_) write();
}

void Connection::write() {
  if (sent_ == sending_.size()) {
    sending_ = std::exchange(waiting_, {});
    sent_ = 0;
  }
  writing_ = true;
  // The body has a deadline of its own, and so little is written meanwhile that it needs none.
  if (phase_ == Phase::answer) arm(hub_->limits.write_deadline, &Connection::write_late);
  const size_t size = std::min(sending_.size() - sent_, hub_->limits.queue);
  asio::async_write(io_->socket, asio::buffer(sending_.data() + sent_, size),
                    [self = shared_from_this()](const error_code& error, size_t count) {
                      self->written(error, count);
                    });
}

void Connection::written(const error_code& error, size_t count) {
  writing_ = false;
  if (closed()) return;
  if (error) return close(Gone::disconnect);
  sent_ += count;
  if (queued() > 0) return write();
  sending_ = {};
  sent_ = 0;
  if (phase_ == Phase::answer) disarm();
  flushed();
}

void Connection::answered(bool keep_alive) {
  if (closed()) return;
  answered_ = true;
  keep_alive_ = keep_alive;
  // A stream may end when everything has been written.
  if (!writing_) asio::post(hub_->io, [self = shared_from_this()] { self->flushed(); });
}

void Connection::flushed() {
  if (closed() || !answered_ || writing_) return;
  answered_ = false;
  if (keep_alive_ && may_stay()) return next_request();
  drain();
}

void Connection::drain() {
  // Closing with unread bytes would send a reset, which eats the answer on its way.
  phase_ = Phase::drain;
  pending_ = {};
  error_code ignored;  // of a client that has gone: the read below tells
  io_->socket.shutdown(Socket::shutdown_send, ignored);
  arm(hub_->limits.drain_deadline, &Connection::idle_late);
  read();
}

// Deadlines.

void Connection::arm(Limits::Time delay, void (Connection::*late)()) {
  const uint64_t turn = ++timer_turn_;
  io_->timer.expires_after(delay);
  io_->timer.async_wait([weak = weak_from_this(), turn, late](const error_code& error) {
    const auto self = weak.lock();
    // One that had expired before it was set anew must not count.
    if (!error && self && !self->closed() && self->timer_turn_ == turn) ((*self).*late)();
  });
}

void Connection::disarm() {
  ++timer_turn_;
  io_->timer.cancel();
}

void Connection::head_late() {
  if (raw_head_.empty() && pending_.empty()) return close(Gone::disconnect);
  refuse(error_reply(408, "request_timeout",
                     fmt::format("[http] headers: found no end after {} ms, expected one earlier",
                                 hub_->limits.head_deadline.count())));
}

void Connection::body_late() {
  refuse(error_reply(
      408, "request_timeout",
      fmt::format("[http] body: found {} bytes, expected its end within {} ms and "
                  "at least {} bytes a second",
                  body_bytes_, hub_->limits.body_deadline.count(), hub_->limits.body_rate)));
}

void Connection::check_body() {
  const auto& limits = hub_->limits;
  const auto time = std::chrono::duration_cast<Limits::Time>(Clock::now() - head_time_);
  const auto expected =
      static_cast<double>(limits.body_rate) * 1e-3 * static_cast<double>(time.count());
  const bool slow = time >= limits.body_grace && static_cast<double>(body_bytes_) < expected;
  if (slow || time >= limits.body_deadline) return body_late();
  // Now and then, and exactly at the two limits.
  auto next = std::min(limits.body_deadline - time, Limits::Time(1000));
  if (time < limits.body_grace) next = std::min(next, limits.body_grace - time);
  arm(next + Limits::Time(1), &Connection::check_body);
}

}  // namespace unmask::http
