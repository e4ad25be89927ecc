// What travels over HTTP, as plain values: no library shows through.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace unmask::http {

struct Header {
  std::string name;
  std::string value;

  bool operator==(const Header&) const = default;
};

/// In the order in which they came or are to be sent.
using Headers = std::vector<Header>;

/// Who asks.
struct Peer {
  bool unix_socket = false;
  std::string address;  // numbers as text, IPv4 as such even on an IPv6 socket; empty: Unix socket
};

/// A request without its body.
struct Head {
  std::string method;  // as it came: "GET"
  std::string path;    // without query, percent-escapes decoded; may hold any byte
  std::string query;   // behind the question mark, as it came
  Headers headers;     // names in lower case
  int version = 11;    // 10: HTTP/1.0

  /// The value of the first header called `name` (lower case), or nullptr.
  const std::string* find(std::string_view name) const;
  /// How many headers are called so.
  int count(std::string_view name) const;
};

struct Request : Head {
  std::string body;
};

/// A whole answer. Length, connection, request id and caching are the server's business.
struct Reply {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";  // sent when there is a body
  Headers headers{};
};

}  // namespace unmask::http
