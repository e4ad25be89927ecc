// Requests that no honest client sends. After each, a good one is answered and nothing is left
// open.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <random>
#include <vector>

#include "serve/access.h"
#include "serve/http/client.h"
#include "serve/http/error_reply.h"
#include "serve/http/test_server.h"

namespace unmask::http {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kHealthAlone =
    "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

struct Abuse {
  const char* name;
  std::string bytes;
  int status;
  const char* code;
};

std::string get(std::string_view target, std::string_view headers = "",
                std::string_view version = "HTTP/1.1") {
  return fmt::format("GET {} {}\r\nHost: localhost\r\n{}\r\n", target, version, headers);
}

/// A POST of three bytes whose framing headers are given.
std::string post(std::string_view headers, std::string_view body = "abc") {
  return fmt::format(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{}\r\n{}",
      headers, body);
}

std::string chunked(std::string_view body) { return post("Transfer-Encoding: chunked\r\n", body); }

std::string many_headers() {
  std::string out;
  for (int i = 0; i < 200; ++i) out += fmt::format("X-{}: 1\r\n", i);
  return out;
}

constexpr const char* kBad = "bad_request";
constexpr const char* kCoding = "unsupported_transfer_coding";
constexpr const char* kMedia = "unsupported_media_type";

std::vector<Abuse> framing() {
  return {
      {"chunked and a length", post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), 400,
       kBad},
      {"a length and chunked", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 400,
       kBad},
      {"two lengths", post("Content-Length: 3\r\nContent-Length: 4\r\n"), 400, kBad},
      {"one length twice", post("Content-Length: 3\r\nContent-Length: 3\r\n"), 400, kBad},
      {"one length twice in a line", post("Content-Length: 3, 3\r\n"), 400, kBad},
      {"negative length", post("Content-Length: -1\r\n"), 400, kBad},
      {"signed length", post("Content-Length: +3\r\n"), 400, kBad},
      {"hexadecimal length", post("Content-Length: 0x3\r\n"), 400, kBad},
      {"length beyond 64 bits", post("Content-Length: 99999999999999999999\r\n"), 400, kBad},
      {"no length", post(""), 411, "length_required"},
      {"length above the limit, no body", post("Content-Length: 4194305\r\n", ""), 413,
       "body_too_large"},
      {"negative chunk", chunked("-2\r\nab\r\n0\r\n\r\n"), 400, kBad},
      {"huge chunk", chunked("FFFFFFFFFFFFFFFF\r\nab"), 413, "body_too_large"},
      {"chunk beyond 64 bits", chunked("1FFFFFFFFFFFFFFFF\r\nab"), 400, kBad},
      {"chunk extension of 100 kB", chunked("3;" + std::string(100'000, 'x') + "\r\nabc\r\n"), 400,
       kBad},
      {"chunk without an end", chunked("3\r\nabcd\r\n0\r\n\r\n"), 400, kBad},
      {"trailers of 100 kB", chunked("0\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n"), 400,
       kBad},
      {"gzip", post("Transfer-Encoding: gzip\r\n"), 501, kCoding},
      {"gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n"), 501, kCoding},
      {"xchunked", post("Transfer-Encoding: xchunked\r\n"), 501, kCoding},
      {"identity with a length", post("Transfer-Encoding: identity\r\nContent-Length: 3\r\n"), 400,
       kBad},
      {"chunked in two lines", post("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"),
       501, kCoding},
      {"HTTP/1.0 in chunks",
       "POST /echo HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: "
       "chunked\r\n\r\n0\r\n\r\n",
       400, kBad},
  };
}

std::vector<Abuse> heads() {
  const std::string nul = std::string("X: a") + '\0' + "b\r\n";
  return {
      {"bare line feeds", "GET /health HTTP/1.1\nHost: localhost\n\n", 400, kBad},
      {"folded header", get("/health", "X: a\r\n b\r\n"), 400, kBad},
      {"folded header at once", get("/health", "X:\r\n\tb\r\n"), 400, kBad},
      {"blank before the colon", get("/health", "X : a\r\n"), 400, kBad},
      {"NUL in a header", get("/health", nul), 400, kBad},
      {"no version", "GET /health\r\n\r\n", 400, kBad},
      {"HTTP/0.9", get("/health", "", "HTTP/0.9"), 400, kBad},
      {"HTTP/2.0", get("/health", "", "HTTP/2.0"), 400, kBad},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, kBad},
      {"TLS", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), 400, kBad},
      {"no Host", "GET /health HTTP/1.1\r\n\r\n", 400, kBad},
      {"two Hosts", get("/health", "Host: localhost\r\n"), 400, kBad},
      {"foreign Host", "GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403,
       "host_not_allowed"},
      {"target of 20 kB", get("/" + std::string(20'000, 'x')), 414, "uri_too_long"},
      {"target of 9 kB", get("/" + std::string(9'000, 'x')), 414, "uri_too_long"},
      {"control byte in the target", get("/\x01"), 400, kBad},
      {"broken escape", get("/%zz"), 400, kBad},
      {"cut escape", get("/%2"), 400, kBad},
      {"fragment", get("/a#b"), 400, kBad},
      {"relative target", get("health"), 400, kBad},
      {"junk method", "G@T /health HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, kBad},
      {"PUT", "PUT /v1/models HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 405,
       "method_not_allowed"},
      {"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 405, "method_not_allowed"},
      {"TRACE", "TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "method_not_allowed"},
      {"absolute form elsewhere", get("http://evil.example/health"), 400, kBad},
      {"absolute form of another scheme", get("https://localhost/health"), 400, kBad},
      {"upgrade", get("/health", "Connection: Upgrade\r\nUpgrade: websocket\r\n"), 400, kBad},
      {"200 headers", get("/health", many_headers()), 431, "headers_too_large"},
      {"header of 20 kB", get("/health", "X: " + std::string(20'000, 'x') + "\r\n"), 431,
       "headers_too_large"},
      {"blank lines first", "\r\n\r\n" + get("/health"), 400, kBad},
      {"strange expectation", post("Content-Length: 3\r\nExpect: 200-ok\r\n"), 417,
       "expectation_failed"},
  };
}

std::vector<Abuse> contents() {
  const std::string_view text = "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n";
  return {
      {"text/plain", fmt::format("{}Content-Type: text/plain\r\n\r\n{{}}", text), 415, kMedia},
      {"no type", fmt::format("{}\r\n{{}}", text), 415, kMedia},
      {"gzip", post("Content-Length: 3\r\nContent-Encoding: gzip\r\n"), 415, kMedia},
      {"foreign origin", post("Content-Length: 3\r\nOrigin: https://evil.example\r\n"), 403,
       "origin_not_allowed"},
      {"foreign preflight",
       "OPTIONS /echo HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n"
       "Access-Control-Request-Method: POST\r\n\r\n",
       403, "origin_not_allowed"},
      {"climbing path", get("/../../etc/passwd"), 404, "not_found"},
      {"climbing path in escapes", get("/%2e%2e/"), 404, "not_found"},
      {"NUL in the path", get("/%00"), 404, "not_found"},
  };
}

std::vector<Abuse> keys() {
  const auto with = [](std::string_view headers) { return get("/echo", headers); };
  return {
      {"no key", with(""), 401, "invalid_api_key"},
      {"wrong key", with("Authorization: Bearer wrong\r\n"), 401, "invalid_api_key"},
      {"key of 10 kB", with("X-Api-Key: " + std::string(10'000, 'k') + "\r\n"), 401,
       "invalid_api_key"},
  };
}

/// Access as it is by default, methods and content.
Service guarded(AccessOptions options = {}) {
  auto access = std::make_shared<Access>(std::move(options));
  Service service;
  service.gate = [access](const Head& head, const Peer& peer) {
    if (auto reply = access->judge(head, peer)) return reply;
    if (head.method == "PUT") {
      Reply reply = error_reply(405, "method_not_allowed", "[test] method: found PUT");
      reply.headers.push_back({"Allow", "GET"});
      return std::optional(reply);
    }
    return refuse_content(head);
  };
  service.headers = [access](const Head& head) { return access->headers(head); };
  return service;
}

void expect_as_before(TestServer& server, int descriptors) {
  EXPECT_EQ(ask(server.port(), kHealthAlone).status, 200);
  EXPECT_TRUE(eventually([&] { return open_descriptors() == descriptors; }))
      << open_descriptors() << " descriptors, before " << descriptors;
}

void expect_refused(const std::vector<Abuse>& table, Service service) {
  TestServer server(Limits(), std::move(service));
  ask(server.port(), kHealthAlone);
  ASSERT_TRUE(eventually([&] { return server.connections() == 0; }));
  const int descriptors = open_descriptors();
  for (const auto& [name, bytes, status, code] : table) {
    SCOPED_TRACE(name);
    const Response response = ask(server.port(), bytes);
    EXPECT_EQ(response.status, status);
    EXPECT_THAT(response.body, HasSubstr("{\"error\":{\"message\":\"["));
    EXPECT_THAT(response.body, HasSubstr(fmt::format(R"("param":null,"code":"{}"}}}})", code)));
    EXPECT_TRUE(response.headers.contains("x-request-id"));
    EXPECT_EQ(response.headers.contains("allow"), status == 405);
    EXPECT_FALSE(response.headers.contains("access-control-allow-origin"));
    expect_as_before(server, descriptors);
  }
}

TEST(Abuse, Framing) { expect_refused(framing(), guarded()); }
TEST(Abuse, Heads) { expect_refused(heads(), guarded()); }
TEST(Abuse, Contents) { expect_refused(contents(), guarded()); }
TEST(Abuse, Keys) {
  expect_refused(
      keys(), guarded({.hosts = {}, .origins = {}, .keys = {"right"}, .free_paths = {"/health"}}));
}

/// `text` with a few bytes changed, taken out or doubled.
std::string mutated(std::string text, std::mt19937& random) {
  const auto below = [&](size_t limit) {
    return std::uniform_int_distribution<size_t>(0, limit - 1)(random);
  };
  constexpr std::string_view kLoved = "\r\n \t:,;%0x/";
  for (size_t i = 0; i < 1 + below(4) && !text.empty(); ++i) {
    const size_t at = below(text.size());
    switch (below(4)) {
      case 0: text[at] = static_cast<char>(below(256)); break;
      case 1: text.erase(at, 1 + below(8)); break;
      case 2: text.insert(at, text.substr(below(text.size()), below(40))); break;
      default: text.insert(at, 1, kLoved[below(kLoved.size())]);
    }
  }
  return text;
}

TEST(Abuse, DamagedRequestsAreSurvived) {
  TestServer server(Limits(), guarded());
  std::mt19937 random(7);
  const std::vector<std::string> good = {get("/health", "X: a\r\nConnection: close\r\n"),
                                         post("Content-Length: 3\r\n"),
                                         chunked("3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX: y\r\n\r\n"),
                                         get("http://localhost/path?a=%20"), get("/stream")};
  for (int i = 0; i < 500; ++i) {
    Client client(server.port());
    client.send(mutated(good[i % good.size()], random));
    // Some wait for more, most have been answered by now.
    const std::string text = client.read_until("\r\n\r\n", std::chrono::milliseconds(1));
    EXPECT_TRUE(text.empty() || text.starts_with("HTTP/1.1 ")) << text;
  }
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
  EXPECT_EQ(ask(server.port(), kHealthAlone).status, 200);
}

}  // namespace
}  // namespace unmask::http
