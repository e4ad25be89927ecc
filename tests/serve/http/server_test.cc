#include "serve/http/server.h"

#include <atomic>
#include <csignal>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/http/client.h"
#include "serve/http/test_server.h"

namespace unmask::http {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kGetHealth = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

TEST(Server, AnswersAndKeepsTheConnection) {
  TestServer server;
  Client client(server.port());
  for (int i = 0; i < 3; ++i) {
    client.send(kGetHealth);
    const Response response = parse_response(client.read_until("\"ok\"}"));
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.headers.at("content-type"), "application/json");
    EXPECT_EQ(response.headers.at("cache-control"), "no-store");
    EXPECT_EQ(response.headers.at("x-request-id").size(), 16U);
    EXPECT_FALSE(response.headers.contains("connection"));
  }
}

TEST(Server, ClosesWhenTheClientWishesIt) {
  TestServer server;
  Client client(server.port());
  client.send("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: foo, Close\r\n\r\n");
  EXPECT_THAT(client.read_all(), HasSubstr("Connection: close"));
  EXPECT_EQ(ask(server.port(), "GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
                .headers.at("connection"),
            "close");
}

TEST(Server, ReadsBodiesWithALengthAndInChunks) {
  TestServer server;
  EXPECT_EQ(ask(server.port(), post_text("/echo", "{\"a\":1}")).body, "{\"a\":1}");
  EXPECT_EQ(ask(server.port(),
                "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nHost: elsewhere\r\n\r\n")
                .body,
            "abcdefg");
  const std::string large(Limits().body, 'x');
  EXPECT_EQ(ask(server.port(), post_text("/echo", large)).body, large);
}

TEST(Server, ReadsARequestByteByByte) {
  TestServer server;
  Client client(server.port());
  for (const char byte :
       std::string("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")) {
    ASSERT_TRUE(client.send({&byte, 1}));
    std::this_thread::yield();
  }
  EXPECT_EQ(parse_response(client.read_until("abcdefg")).body, "abcdefg");
}

TEST(Server, AHeadHasTheLengthOfTheBodyAndNoBody) {
  TestServer server;
  Client client(server.port());
  client.send("HEAD /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const Response response = parse_response(client.read_all());
  EXPECT_EQ(response.headers.at("content-length"), "15");
  EXPECT_EQ(response.body, "");
}

TEST(Server, SplitsAndDecodesThePath) {
  TestServer server;
  const auto path = [&](std::string_view target) {
    return ask(server.port(), fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", target))
        .body;
  };
  EXPECT_EQ(path("/p%61th?a=%20&b"), "/path?a=%20&b");
  EXPECT_EQ(path("http://LocalHost/path?"), "/path?");
}

TEST(Server, StreamsInChunks) {
  TestServer server;
  Client client(server.port());
  client.send("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(client.read_until("\r\n\r\n"),
              HasSubstr("Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"));
  EXPECT_EQ(server.tick("one"), 1U);
  EXPECT_EQ(client.read_until("one\n\n\r\n"), "b\r\ndata: one\n\n\r\n");
  server.end();
  EXPECT_EQ(client.read_until("0\r\n\r\n"), "b\r\ndata: end\n\n\r\n0\r\n\r\n");
  client.send(kGetHealth);
  EXPECT_THAT(client.read_until("\"ok\"}"), HasSubstr("HTTP/1.1 200 OK"));
}

TEST(Server, StreamsToTheEndOfTheConnectionForHttp10) {
  TestServer server;
  Client client(server.port());
  client.send("GET /stream HTTP/1.0\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(client.read_until("\r\n\r\n"), Not(HasSubstr("Transfer-Encoding")));
  server.tick("one");
  server.end();
  EXPECT_EQ(client.read_all(), "data: one\n\ndata: end\n\n");
}

TEST(Server, WhatAHandlerThrowsIsA500WithoutDetails) {
  TestServer server;
  for (const char* path : {"/throw", "/drop"}) {
    const Response response = ask(server.port(), post_text(path, "{}"));
    EXPECT_EQ(response.status, 500);
    EXPECT_THAT(response.body, HasSubstr("\"code\":\"internal_error\""));
    EXPECT_THAT(response.body, HasSubstr(response.headers.at("x-request-id")));
    EXPECT_THAT(response.body, Not(HasSubstr("thing")));
  }
  EXPECT_EQ(server.answered().at(0).fault, "[test] thing: found none, expected one");
  EXPECT_EQ(server.answered().at(0).path, "/throw");
  EXPECT_EQ(server.answered().at(1).status, 500);
}

TEST(Server, EveryReplyCarriesTheHeadersOfTheService) {
  TestServer server({}, {.gate = {},
                         .headers =
                             [](const Head& head) {
                               return Headers{{"X-Path", head.path}};
                             },
                         .handler = {},
                         .observer = {}});
  EXPECT_EQ(ask(server.port(), kGetHealth).headers.at("x-path"), "/health");
  EXPECT_EQ(ask(server.port(), post_text("/echo", "")).headers.at("x-path"), "/echo");
  EXPECT_EQ(ask(server.port(), "GET / HTTP/1.1\r\n\r\n").headers.count("x-path"), 0U);
}

Reply refusal() { return {.status = 401, .body = "{}"}; }

Service with_gate(std::function<std::optional<Reply>(const Head&, const Peer&)> gate) {
  return {.gate = std::move(gate), .headers = {}, .handler = {}, .observer = {}};
}

TEST(Server, TheGateRefusesBeforeTheBodyIsRead) {
  TestServer server({}, with_gate([](const Head& head, const Peer& peer) {
                      EXPECT_EQ(peer.address, "127.0.0.1");
                      return head.path == "/echo" ? std::optional(refusal()) : std::nullopt;
                    }));
  Client client(server.port());
  client.send(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n"
      "Expect: 100-continue\r\n\r\n");
  const std::string text = client.read_all();
  EXPECT_EQ(parse_response(text).status, 401);
  EXPECT_THAT(text, Not(HasSubstr("100 Continue")));
  // A client that sends its body all the same reads the answer.
  EXPECT_EQ(ask(server.port(), post_text("/echo", std::string(200'000, 'x'))).status, 401);
}

TEST(Server, ARefusalWithoutABodyKeepsTheConnection) {
  TestServer server({}, with_gate([](const Head& head, const Peer&) {
                      return head.path == "/echo" ? std::optional(refusal()) : std::nullopt;
                    }));
  Client client(server.port());
  client.send("GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(parse_response(client.read_until("{}")).status, 401);
  client.send(kGetHealth);
  EXPECT_EQ(parse_response(client.read_until("\"ok\"}")).status, 200);
}

TEST(Server, AGateThatThrowsRefuses) {
  TestServer server({}, with_gate([](const Head&, const Peer&) -> std::optional<Reply> {
                      throw std::runtime_error("broken");
                    }));
  EXPECT_EQ(ask(server.port(), kGetHealth).status, 500);
  EXPECT_EQ(server.answered().at(0).fault, "broken");
}

TEST(Server, SaysContinueOnceTheGateAgrees) {
  TestServer server;
  Client client(server.port());
  client.send(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
      "Expect: 100-Continue\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("abc");
  EXPECT_THAT(client.read_until("abc"), HasSubstr("200 OK"));
}

TEST(Server, RunsTimersAndPostedWork) {
  std::atomic<int> every = 0;
  std::atomic<int> once = 0;
  TestServer server;
  server.server().post([&] {
    server.server().every(std::chrono::milliseconds(5), [&] { ++every; });
    server.server().after(std::chrono::milliseconds(5), [&] { ++once; });
  });
  EXPECT_TRUE(eventually([&] { return every >= 3 && once == 1; }));
}

TEST(Server, HearsSignals) {
  std::atomic<int> heard = 0;
  TestServer server;
  server.server().on_signal({SIGUSR1, SIGUSR2}, [&](int number) { heard = number; });
  ::raise(SIGUSR1);
  EXPECT_TRUE(eventually([&] { return heard == SIGUSR1; }));
  ::raise(SIGUSR2);
  EXPECT_TRUE(eventually([&] { return heard == SIGUSR2; }));
}

}  // namespace
}  // namespace unmask::http
