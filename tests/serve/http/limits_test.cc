#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

#include "serve/http/client.h"
#include "serve/http/test_server.h"

namespace unmask::http {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kLastHealth =
    "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
const std::string kChunked =
    "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string begin_post(size_t length) {
  return fmt::format("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
                     length);
}

TEST(Limits, ABodyThatGoesOnAndOn) {
  TestServer server;
  std::string endless = kChunked;
  for (int i = 0; i < 80; ++i) endless += "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
  // A client that sends on is cut off, which can cost it the answer.
  EXPECT_THAT(ask(server.port(), endless).status, AnyOf(413, 0));
  EXPECT_EQ(ask(server.port(), kLastHealth).status, 200);
}

TEST(Limits, SilenceWithinABody) {
  TestServer server(short_limits());
  const Response response = ask(server.port(), begin_post(1000) + "abc");
  EXPECT_EQ(response.status, 408);
  EXPECT_THAT(response.body, HasSubstr("found 3 bytes"));
}

/// Sends pieces with pauses until the other side has had enough.
std::string trickle(Client& client, std::string_view begin, std::string_view piece) {
  client.send(begin);
  for (int i = 0; i < 400; ++i) {
    client.send(piece);
    const std::string text = client.read_until("\r\n\r\n", std::chrono::milliseconds(20));
    if (!text.empty()) return text;
  }
  return "still waiting";
}

TEST(Limits, ABodyByteByByte) {
  TestServer server(short_limits());
  Client client(server.port());
  EXPECT_THAT(trickle(client, begin_post(100000), "x"), HasSubstr("408 Request Timeout"));
}

TEST(Limits, ABodyThatIsJustFastEnoughForTooLong) {
  TestServer server(short_limits());
  Client client(server.port());
  EXPECT_THAT(trickle(client, begin_post(1000000), std::string(1000, 'x')),
              HasSubstr("408 Request Timeout"));
}

TEST(Limits, HeadersByteByByte) {
  TestServer server(short_limits());
  Client client(server.port());
  EXPECT_THAT(trickle(client, "GET /health HTTP/1.1\r\nX: ", "x"),
              HasSubstr("408 Request Timeout"));
  EXPECT_TRUE(client.closed());
}

TEST(Limits, SilenceFromTheBeginningAndBetweenRequests) {
  TestServer server(short_limits());
  Client silent(server.port());
  EXPECT_THAT(silent.read_all(), IsEmpty());
  EXPECT_TRUE(silent.closed());
  Client idle(server.port());
  idle.send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  idle.read_until("\"ok\"}");
  EXPECT_TRUE(idle.closed());
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

TEST(Limits, ManyRequestsAtOnceAreAnsweredInOrder) {
  TestServer server;
  std::string requests, expected;
  for (int i = 0; i < 300; ++i) {
    requests += fmt::format("GET /path?{} HTTP/1.1\r\nHost: localhost\r\n{}\r\n", i,
                            i == 299 ? "Connection: close\r\n" : "");
    expected += fmt::format("/path?{}", i);
  }
  Client client(server.port());
  client.send(requests);
  const std::string text = client.read_all();
  std::string bodies;
  for (size_t at = text.find("/path?"); at != std::string::npos; at = text.find("/path?", at + 1)) {
    bodies += text.substr(at, text.find("HTTP", at) - at);
  }
  EXPECT_EQ(bodies, expected);
}

TEST(Limits, WhatComesBehindARequestInProgressIsReadUpToALimit) {
  TestServer server;
  Client client(server.port());
  client.send("GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(eventually([&] { return server.streams() == 1; }));
  const std::string piece(1 << 20, 'x');
  size_t taken = 0;
  for (int silent = 0; silent < 10 && taken < 64U << 20;) {
    const size_t now = client.send_without_waiting(piece);
    taken += now;
    silent = now > 0 ? 0 : silent + 1;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_LT(taken, 64U << 20) << "more than the buffers of both systems hold";
  EXPECT_EQ(server.streams(), 1U);
  client.reset();
  server.end_held();
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

TEST(Limits, ConnectionsBeyondTheLimitAreToldSo) {
  Limits limits;
  limits.connections = 8;
  limits.head_deadline = limits.drain_deadline = Limits::Time(60'000);
  TestServer server(limits);
  std::vector<std::unique_ptr<Client>> clients;
  const auto open = [&](size_t count) {
    for (size_t i = 0; i < count; ++i) clients.push_back(std::make_unique<Client>(server.port()));
    return clients.back().get();
  };
  open(8);
  EXPECT_TRUE(eventually([&] { return server.connections() == 8; }));
  const std::string text = open(1)->read_all();
  EXPECT_EQ(parse_response(text).status, 503);
  EXPECT_THAT(text, HasSubstr("found 9, expected at most 8"));
  open(63);
  EXPECT_TRUE(eventually([&] { return server.connections() == 72; }));
  EXPECT_THAT(open(1)->read_all(), IsEmpty());
  clients.clear();
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
  EXPECT_EQ(ask(server.port(), kLastHealth).status, 200);
}

TEST(Limits, WithoutDescriptorsClientsWait) {
  TestServer server;
  ask(server.port(), kLastHealth);
  ASSERT_TRUE(eventually([&] { return server.connections() == 0; }));
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = ::dup(0);
  const rlimit tight{.rlim_cur = static_cast<rlim_t>(next) + 1, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
  ::close(next);
  Client client(server.port());  // has the last one
  client.send(kLastHealth);
  const std::string early = client.read_until("\"ok\"}", std::chrono::milliseconds(250));
  // The sanitizer's check of a virtual call opens a pipe: no matcher before descriptors are back.
  const int restored = setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_EQ(restored, 0);
  EXPECT_THAT(early, IsEmpty());
  EXPECT_THAT(client.read_until("\"ok\"}"), HasSubstr("200 OK"));
}

}  // namespace
}  // namespace unmask::http
