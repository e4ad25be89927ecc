#include "serve/http/listener.h"

#include <netinet/tcp.h>
#include <sys/stat.h>
#include <utility>

#include "core/error.h"

namespace unmask::http {

namespace {

using Endpoint = asio::generic::stream_protocol::endpoint;

asio::ip::address parse_address(const std::string& host) {
  if (host == "localhost") return asio::ip::address_v4::loopback();
  error_code error;
  auto address = asio::ip::make_address(host, error);
  if (error) {
    fail("[server] address: found '{}', expected IPv4, IPv6 or localhost", printable(host));
  }
  return address;
}

asio::ip::tcp::endpoint tcp_endpoint(const Endpoint& endpoint) {
  asio::ip::tcp::endpoint out;
  UNMASK_CHECK(endpoint.size() <= out.capacity(), "an address of TCP is longer than IPv6 has them");
  const auto* bytes = reinterpret_cast<const char*>(endpoint.data());
  std::copy(bytes, bytes + endpoint.size(), reinterpret_cast<char*>(out.data()));
  out.resize(endpoint.size());
  return out;
}

Peer peer_of(const Endpoint& endpoint) {
  if (endpoint.protocol().family() == AF_UNIX) return {.unix_socket = true, .address = {}};
  auto address = tcp_endpoint(endpoint).address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  return {.unix_socket = false, .address = address.to_string()};
}

/// Makes room for a socket where a server that has died left its own.
void remove_stale(asio::io_context& io, const std::string& path) {
  struct stat status = {};
  if (::lstat(path.c_str(), &status) != 0) return;
  if (!S_ISSOCK(status.st_mode)) {
    fail("[server] socket {}: found another kind of file, expected none", printable(path));
  }
  asio::local::stream_protocol::socket probe(io);
  error_code error;
  probe.connect({path}, error);
  if (error != asio::error::connection_refused) {
    fail("[server] socket {}: found {}, expected none", printable(path),
         error ? error.message() : "a server that listens");
  }
  ::unlink(path.c_str());
}

}  // namespace

Listener::Listener(asio::io_context& io, const Limits& limits, Welcome welcome)
    : acceptor_(io), pause_(io), limits_(limits), welcome_(std::move(welcome)) {}

int Listener::open_tcp(const std::string& host, int port) {
  if (port < 0 || port > 65535) fail("[server] port: found {}, expected 0 to 65535", port);
  const asio::ip::tcp::endpoint endpoint(parse_address(host), static_cast<uint16_t>(port));
  try {
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(asio::socket_base::reuse_address(true));
    acceptor_.bind(endpoint);
    acceptor_.listen();
    return tcp_endpoint(acceptor_.local_endpoint()).port();
  } catch (const boost::system::system_error& e) {
    fail("[server] address {} port {}: found {}, expected a free one", host, port,
         e.code().message());
  }
}

void Listener::open_unix(const std::string& path) {
  auto& io = static_cast<asio::io_context&>(acceptor_.get_executor().context());
  try {
    const asio::local::stream_protocol::endpoint endpoint(path);
    remove_stale(io, path);
    acceptor_.open(endpoint.protocol());
    acceptor_.bind(endpoint);
    path_ = path;
    // Nobody can connect before listen(), so that the wider rights of bind() do not matter.
    if (::chmod(path.c_str(), 0600) != 0) {
      throw boost::system::system_error(errno, boost::system::system_category());
    }
    acceptor_.listen();
  } catch (const boost::system::system_error& e) {
    fail("[server] socket {}: found {}, expected a path for a new one", printable(path),
         e.code().message());
  }
}

void Listener::accept() {
  acceptor_.async_accept([self = shared_from_this()](const error_code& error, Socket socket) {
    self->accepted(error, std::move(socket));
  });
}

void Listener::accepted(const error_code& error, Socket socket) {
  if (!acceptor_.is_open()) return;
  if (!error) {
    error_code gone;
    const auto endpoint = socket.remote_endpoint(gone);
    if (!gone) {
      const Peer peer = peer_of(endpoint);
      socket.set_option(asio::socket_base::send_buffer_size(limits_.send_buffer), gone);
      if (!peer.unix_socket) socket.set_option(asio::ip::tcp::no_delay(true), gone);
      welcome_(std::move(socket), peer);
    }
  } else if (error != asio::error::connection_aborted) {
    // Out of descriptors or memory: asking again at once would only burn time.
    pause_.expires_after(limits_.accept_pause);
    pause_.async_wait([self = shared_from_this()](const error_code& cancelled) {
      if (!cancelled && self->acceptor_.is_open()) self->accept();
    });
    return;
  }
  accept();
}

void Listener::remove_file() {
  if (!path_.empty()) ::unlink(std::exchange(path_, {}).c_str());
}

void Listener::close() {
  if (!acceptor_.is_open()) return;
  acceptor_.close();
  pause_.cancel();
  remove_file();
}

}  // namespace unmask::http
