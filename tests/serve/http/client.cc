#include "serve/http/client.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/error.h"

namespace unmask::http {

namespace {

template <typename Address>
int connected(int family, const Address& address) {
  const int descriptor = ::socket(family, SOCK_STREAM, 0);
  if (descriptor < 0 ||
      ::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (descriptor >= 0) ::close(descriptor);
    fail("[client] connection: found errno {}, expected none", errno);
  }
  return descriptor;
}

std::string join_chunks(std::string_view text) {
  std::string out;
  while (true) {
    const size_t line_end = text.find("\r\n");
    const size_t size = std::strtoul(std::string(text.substr(0, line_end)).c_str(), nullptr, 16);
    if (line_end == std::string_view::npos || size == 0) return out;
    out += text.substr(line_end + 2, size);
    text.remove_prefix(std::min(text.size(), line_end + 2 + size + 2));
  }
}

bool complete(const std::string& text) {
  const size_t head_end = text.find("\r\n\r\n");
  if (head_end == std::string::npos) return false;
  const Response response = parse_response(text);
  const auto length = response.headers.find("content-length");
  if (length != response.headers.end()) {
    return text.size() >= head_end + 4 + std::strtoul(length->second.c_str(), nullptr, 10);
  }
  return response.status == 204 ||
         (response.headers.contains("transfer-encoding") && text.ends_with("0\r\n\r\n"));
}

}  // namespace

Client::Client(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socket_ = connected(AF_INET, address);
}

Client::Client(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  UNMASK_CHECK(path.size() < sizeof address.sun_path, "the path of a Unix socket is too long");
  std::ranges::copy(path, address.sun_path);
  socket_ = connected(AF_UNIX, address);
}

Client::~Client() {
  if (socket_ >= 0) ::close(socket_);
}

bool Client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

size_t Client::send_without_waiting(std::string_view bytes) {
  size_t total = 0;
  while (total < bytes.size()) {
    const ssize_t sent =
        ::send(socket_, bytes.data() + total, bytes.size() - total, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent <= 0) break;
    total += static_cast<size_t>(sent);
  }
  return total;
}

bool Client::read_some(std::chrono::milliseconds patience) {
  pollfd wanted{.fd = socket_, .events = POLLIN, .revents = 0};
  if (::poll(&wanted, 1, static_cast<int>(patience.count())) <= 0) return false;
  std::array<char, 65536> bytes;
  const ssize_t count = ::recv(socket_, bytes.data(), bytes.size(), 0);
  ended_ = count <= 0;
  if (!ended_) text_.append(bytes.data(), static_cast<size_t>(count));
  return !ended_;
}

std::string Client::read_until(std::string_view end, std::chrono::milliseconds patience) {
  while (text_.find(end) == std::string::npos && !ended_ && read_some(patience)) {
  }
  return std::exchange(text_, {});
}

std::string Client::read_response() {
  while (!complete(text_) && !ended_ && read_some(kPatience)) {
  }
  return std::exchange(text_, {});
}

std::string Client::read_all(std::chrono::milliseconds patience) {
  while (!ended_ && read_some(patience)) {
  }
  return std::exchange(text_, {});
}

bool Client::closed(std::chrono::milliseconds patience) {
  read_all(patience);
  return ended_;
}

void Client::half_close() { ::shutdown(socket_, SHUT_WR); }

void Client::reset() {
  const linger hard{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  ::close(std::exchange(socket_, -1));
}

Response parse_response(const std::string& text) {
  Response out;
  const size_t head_end = text.find("\r\n\r\n");
  if (head_end == std::string::npos || text.size() < 12) return out;
  out.status = std::atoi(text.c_str() + 9);
  for (size_t at = text.find("\r\n") + 2; at < head_end;) {
    const size_t line_end = text.find("\r\n", at);
    const size_t colon = text.find(": ", at);
    std::string name = text.substr(at, colon - at);
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    out.headers[name] = text.substr(colon + 2, line_end - colon - 2);
    at = line_end + 2;
  }
  out.body = text.substr(head_end + 4);
  if (out.headers.contains("transfer-encoding")) out.body = join_chunks(out.body);
  return out;
}

Response ask(int port, std::string_view bytes) {
  Client client(port);
  client.send(bytes);
  return parse_response(client.read_response());
}

std::string post_text(std::string_view path, std::string_view body, std::string_view headers) {
  return fmt::format(
      "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: {}\r\n{}\r\n{}",
      path, body.size(), headers, body);
}

int open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<int>(std::distance(begin(all), end(all)));
}

}  // namespace unmask::http
