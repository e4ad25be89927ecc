// A server for HTTP/1.1 on one thread, with the limits that strangers make necessary.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>

#include "serve/http/exchange.h"
#include "serve/http/message.h"

namespace unmask::http {

/// How much of what a client may ask for. Sizes are bytes.
struct Limits {
  using Time = std::chrono::milliseconds;

  size_t target = 8 << 10;  // of the request line's middle
  size_t head = 16 << 10;   // request line and headers
  size_t headers = 100;     // their number
  size_t body = 4 << 20;
  size_t pipelined = 64 << 10;  // what is read while an answer is on its way
  size_t queue = 256 << 10;     // of a stream, behind what the system holds
  int send_buffer = 256 << 10;  // what the system holds, so that a slow reader is seen as one
  size_t connections = 1024;    // those beyond are told so
  Time head_deadline{10'000};   // from connecting or the first byte to the end of the headers
  Time body_deadline{30'000};   // from the end of the headers
  Time body_grace{5'000};       // after this a body must have come at body_rate
  size_t body_rate = 1 << 10;   // a second
  Time write_deadline{30'000};  // for a queue's worth of bytes
  Time idle_deadline{60'000};   // between two requests
  Time drain_deadline{1'000};   // how long a refused client may go on sending
  int drain_reads = 64;         // and how many pieces
  Time accept_pause{100};       // when the process is out of descriptors
};

/// An answer that is complete, or was left: for logs and counters.
struct Answered {
  std::string id;
  std::string method;  // empty when the request could not be read
  std::string path;
  Peer peer;
  int status = 0;  // 0: the client went before there was one
  std::optional<Gone> gone;
  std::string fault;   // what was thrown where nothing may be thrown; empty: nothing
  double seconds = 0;  // since the headers had come
};

/// What is served. Everything is called on the thread that runs the server; headers and observer
/// must not throw.
struct Service {
  /// Asked when the headers are there and before the body is read: an answer ends the matter. What
  /// it throws becomes a 500.
  std::function<std::optional<Reply>(const Head&, const Peer&)> gate;
  /// Headers that every answer to this request carries.
  std::function<Headers(const Head&)> headers;
  /// Keeps the exchange until it has ended it. What it throws becomes a 500 without details.
  std::function<void(std::shared_ptr<Exchange>)> handler;
  /// Told before the last bytes leave.
  std::function<void(const Answered&)> observer;
};

/// TCP and Unix sockets, persistent connections, streams. Throws Error where it says so.
class Server {
 public:
  /// `handler` is needed, the rest of the service is not.
  Server(Limits limits, Service service);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Listens on an address, IPv4 or IPv6, or "localhost" (127.0.0.1); port 0: any. Returns the
  /// port. Throws Error when that is impossible.
  int listen_tcp(const std::string& host, int port);
  /// Listens on a Unix socket that only this user may open. The file of a server that died is
  /// replaced; throws Error for one that lives, and for any other file.
  void listen_unix(const std::string& path);

  /// Serves until stop(), or until stop_accepting() and the last connection's end. Throws what
  /// posted work, timers and callbacks of exchanges throw.
  void run();

  /// No more connections: those that wait for a request end, the others with their answer. Any
  /// thread.
  void stop_accepting();
  /// Ends everything at once; exchanges are told. Any thread.
  void stop();
  /// Runs a function on the server's thread. Any thread.
  void post(std::function<void()> work);

  /// Once after a while, or again and again until the end. Before run() or on its thread.
  void after(std::chrono::milliseconds delay, std::function<void()> work);
  void every(std::chrono::milliseconds interval, std::function<void()> work);
  /// Calls back with each of these signals instead of what they would do.
  void on_signal(std::initializer_list<int> signals, std::function<void(int)> work);

  /// Open connections, on the server's thread.
  size_t connections() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace unmask::http
