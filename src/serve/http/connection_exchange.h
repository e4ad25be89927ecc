// The exchange that writes to a connection.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "serve/http/connection.h"
#include "serve/http/exchange.h"

namespace unmask::http {

class ConnectionExchange : public Exchange {
 public:
  ConnectionExchange(std::shared_ptr<Connection> connection, Request request,
                     std::chrono::steady_clock::time_point begin);
  ~ConnectionExchange() override;

  const Request& request() const override { return request_; }
  const Peer& peer() const override { return connection_->peer(); }
  const std::string& id() const override { return id_; }
  void reply(Reply reply) override;
  void start_stream(const std::string& content_type, const Headers& more) override;
  void write(std::string bytes) override;
  void finish() override;
  size_t queued_bytes() const override { return connection_->queued(); }
  bool open() const override { return !ended_ && !gone_; }
  void on_gone(std::function<void(Gone)> callback) override;

  /// Replies 500, or cuts a stream that has begun. `what` is for the observer.
  void fault(const std::string& what);
  /// The client has gone: the callback that must hear of it, if any.
  std::function<void(Gone)> gone(Gone reason);

 private:
  void end(int status, std::string last_bytes, bool keep_alive, const std::string& fault = {});
  void report(const std::string& fault);
  bool keep_alive() const;
  Headers common_headers() const;

  std::shared_ptr<Connection> connection_;
  Request request_;
  std::string id_;
  std::chrono::steady_clock::time_point begin_;
  std::function<void(Gone)> on_gone_;
  std::optional<Gone> gone_;
  int status_ = 0;
  bool streaming_ = false;
  bool ended_ = false;
};

/// Headers of every reply, also of refusals.
Headers reply_headers(const std::string& id, bool keep_alive);

/// A whole reply as text; `body` false: for HEAD, the length without the bytes.
std::string reply_text(const Reply& reply, Headers headers, bool body);

}  // namespace unmask::http
