// The one way to Boost: its sources are compiled once, in beast.cc.
#pragma once

#define BOOST_ASIO_SEPARATE_COMPILATION
#define BOOST_BEAST_SEPARATE_COMPILATION

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace unmask::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
/// TCP and Unix sockets alike.
using Socket = asio::generic::stream_protocol::socket;
using Parser = beast::http::request_parser<beast::http::string_body>;

}  // namespace unmask::http
