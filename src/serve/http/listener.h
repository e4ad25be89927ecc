// Sockets that clients connect to.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "serve/http/beast.h"
#include "serve/http/server.h"

namespace unmask::http {

/// Hands over each client that connects, until it is closed.
class Listener : public std::enable_shared_from_this<Listener> {
 public:
  using Welcome = std::function<void(Socket, Peer)>;

  Listener(asio::io_context& io, const Limits& limits, Welcome welcome);
  ~Listener() { remove_file(); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// Returns the port. Throws Error.
  int open_tcp(const std::string& host, int port);
  /// Throws Error.
  void open_unix(const std::string& path);
  void accept();
  void close();

 private:
  void remove_file();
  void accepted(const error_code& error, Socket socket);

  asio::basic_socket_acceptor<asio::generic::stream_protocol> acceptor_;
  asio::steady_timer pause_;
  Limits limits_;
  Welcome welcome_;
  std::string path_;  // of the Unix socket's file
};

}  // namespace unmask::http
