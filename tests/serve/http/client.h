// A client that can misbehave: bytes in, bytes out, over a socket of its own.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>

namespace unmask::http {

class Client {
 public:
  /// Connects to 127.0.0.1. Throws Error.
  explicit Client(int port);
  /// Connects to a Unix socket. Throws Error.
  explicit Client(const std::string& path);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// False when the other side refuses more.
  bool send(std::string_view bytes);
  /// Sends what the system takes at once and returns how much that was.
  size_t send_without_waiting(std::string_view bytes);
  /// Reads until `end` has come (all the text so far is returned), the end of the connection or
  /// until nothing comes for as long as `patience`.
  std::string read_until(std::string_view end, std::chrono::milliseconds patience = kPatience);
  /// Reads until a response is complete, or as read_until().
  std::string read_response();
  /// Reads up to the end of the connection.
  std::string read_all(std::chrono::milliseconds patience = kPatience);
  /// True when the other side has closed, now or within `patience`; what comes is dropped.
  bool closed(std::chrono::milliseconds patience = kPatience);
  void half_close();
  /// Closes with a reset instead of an orderly end.
  void reset();

  /// Long, for machines that are busy with something else.
  static constexpr std::chrono::milliseconds kPatience{20'000};

 private:
  /// Adds to text_; false at the end, or when nothing came.
  bool read_some(std::chrono::milliseconds patience);

  int socket_ = -1;
  bool ended_ = false;
  std::string text_;
};

struct Response {
  int status = 0;                              // 0: none came
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

/// Splits what a server sent: one response, whose chunks are joined.
Response parse_response(const std::string& text);

/// Sends `bytes` over a connection of its own and reads until the server closes or the response is
/// complete.
Response ask(int port, std::string_view bytes);

/// A well-formed POST of JSON.
std::string post_text(std::string_view path, std::string_view body, std::string_view headers = "");

/// Descriptors that this process has open.
int open_descriptors();

}  // namespace unmask::http
