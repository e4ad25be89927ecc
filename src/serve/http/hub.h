// What the connections of a server share.
#pragma once

#include <memory>
#include <unordered_set>
#include <utility>

#include "serve/http/beast.h"
#include "serve/http/server.h"

namespace unmask::http {

class Connection;

struct Hub {
  Hub(Limits given_limits, Service given_service)
      : limits(given_limits), service(std::move(given_service)) {}

  Limits limits;
  Service service;
  asio::io_context io{1};
  std::unordered_set<std::shared_ptr<Connection>> live;
  bool closing = false;  // no more requests than those in progress

  /// Ends run() behind the callbacks that are due, once a closing server has nobody left.
  void end_when_empty() {
    if (closing && live.empty()) asio::post(io, [this] { io.stop(); });
  }
};

}  // namespace unmask::http
