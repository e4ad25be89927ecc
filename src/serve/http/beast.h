// The one way to Boost: every file must see it with the same macros, and beast.cc compiles once
// what would be inline everywhere.
#pragma once

#define BOOST_ASIO_SEPARATE_COMPILATION
#define BOOST_BEAST_SEPARATE_COMPILATION

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>

namespace unmask::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
/// TCP and Unix sockets alike.
using Socket = asio::generic::stream_protocol::socket;
using Parser = beast::http::request_parser<beast::http::string_body>;

}  // namespace unmask::http
