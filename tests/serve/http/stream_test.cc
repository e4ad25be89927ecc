#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "core/error.h"
#include "serve/http/client.h"
#include "serve/http/test_server.h"

namespace unmask::http {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr std::string_view kHealth = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
constexpr std::string_view kStream = "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n";

using Clients = std::vector<std::unique_ptr<Client>>;

Clients open_streams(TestServer& server, size_t count) {
  Clients clients;
  for (size_t i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<Client>(server.port()));
    clients.back()->send(kStream);
  }
  EXPECT_TRUE(eventually([&] { return server.streams() == count; }));
  return clients;
}

TEST(Stream, TwoHundredClientsGetTheSameEvents) {
  TestServer server;
  const Clients clients = open_streams(server, 200);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(server.tick(fmt::format("event {}", i)), 200U);
  server.end();
  for (const auto& client : clients) {
    EXPECT_EQ(parse_response(client->read_until("0\r\n\r\n")).body,
              "data: event 0\n\ndata: event 1\n\ndata: event 2\n\ndata: event 3\n\n"
              "data: event 4\n\ndata: end\n\n");
  }
}

TEST(Stream, NothingFollowsTheEnd) {
  TestServer server;
  Client client(server.port());
  client.send("GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(eventually([&] { return server.streams() == 1; }));
  server.end();
  EXPECT_THAT(client.read_all(), EndsWith("data: end\n\n\r\n0\r\n\r\n"));
}

TEST(Stream, ASilentClientIsSeenToGo) {
  TestServer server;
  Clients clients = open_streams(server, 30);
  for (size_t i = 0; i < 10; ++i) clients[i].reset();  // closes in order
  for (size_t i = 10; i < 20; ++i) clients[i]->reset();
  for (size_t i = 20; i < 30; ++i) clients[i]->half_close();
  EXPECT_TRUE(eventually([&] { return server.gone(Gone::disconnect) == 30; }));
  EXPECT_EQ(server.streams(), 0U);
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

TEST(Stream, WhoWaitsForAReplyIsSeenToGoToo) {
  TestServer server;
  {
    Client client(server.port());
    client.send("GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_TRUE(eventually([&] { return server.streams() == 1; }));
  }
  EXPECT_TRUE(eventually([&] { return server.gone(Gone::disconnect) == 1; }));
  const auto answered = server.answered();
  ASSERT_EQ(answered.size(), 1U);
  EXPECT_EQ(answered[0].status, 0);
  EXPECT_EQ(answered[0].gone, Gone::disconnect);
}

TEST(Stream, SlowReadersAreDroppedAndOthersDoNotNotice) {
  TestServer server;
  Clients slow = open_streams(server, 20);
  Client good(server.port());
  const std::string event(20'000, 'x');
  for (int i = 0; i < 1000 && server.tick(event) > 0; ++i) {
    good.send(kHealth);
    ASSERT_THAT(good.read_until("\"ok\"}"), HasSubstr("200 OK"));
  }
  EXPECT_TRUE(eventually([&] { return server.gone(Gone::slow_client) == 20; }));
  EXPECT_EQ(server.gone(Gone::disconnect), 0);
}

TEST(Stream, AWriteThatTakesTooLongIsASlowReader) {
  Limits limits;
  limits.write_deadline = Limits::Time(300);
  limits.queue = 64 << 20;
  limits.send_buffer = 4096;
  TestServer server(limits);
  const Clients clients = open_streams(server, 1);
  server.tick(std::string(16 << 20, 'x'));
  EXPECT_TRUE(eventually([&] { return server.gone(Gone::slow_client) == 1; }));
}

TEST(Stream, ALargeReplyGoesThroughInPieces) {
  Limits limits;
  limits.body = 32 << 20;
  TestServer server(limits);
  const std::string body(16 << 20, 'x');
  Client client(server.port());
  client.send(post_text("/echo", body, "Connection: close\r\n"));
  EXPECT_EQ(parse_response(client.read_all()).body, body);
}

TEST(Stop, StreamsGetTheirEndAndRunReturns) {
  TestServer server;
  const Clients clients = open_streams(server, 50);
  Client idle(server.port());
  idle.send(kHealth);
  idle.read_until("\"ok\"}");
  server.tick("one");
  server.server().stop_accepting();
  EXPECT_TRUE(idle.closed());
  EXPECT_TRUE(eventually([&] { return server.connections() == 50; }));
  EXPECT_THROW(Client late(server.port()), Error);
  EXPECT_EQ(server.tick("two"), 50U);
  server.end();
  for (const auto& client : clients) {
    EXPECT_THAT(client->read_all(), EndsWith("data: end\n\n\r\n0\r\n\r\n"));
  }
  server.join();
}

TEST(Stop, AReplyInProgressIsFinished) {
  TestServer server;
  Client client(server.port());
  client.send(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: "
      "100-continue\r\n\r\n");
  client.read_until("\r\n\r\n");  // the server waits for the body now
  server.server().stop_accepting();
  client.send("abcd");
  EXPECT_THAT(client.read_all(), AllOf(HasSubstr("Connection: close"), EndsWith("abcd")));
  server.join();
}

TEST(Stop, AtOnceTellsTheExchanges) {
  TestServer server;
  const Clients clients = open_streams(server, 5);
  server.server().stop();
  server.join();
  EXPECT_EQ(server.gone(Gone::stopped), 5);
  for (const auto& client : clients) EXPECT_TRUE(client->closed());
}

TEST(Stop, AnExchangeMayOutliveItsServer) {
  std::shared_ptr<Exchange> kept;
  std::unique_ptr<Client> client;
  {
    Service service;
    service.handler = [&](const std::shared_ptr<Exchange>& exchange) {
      exchange->start_stream("text/plain", {});
      kept = exchange;
    };
    TestServer server({}, service);
    client = std::make_unique<Client>(server.port());
    client->send(kStream);
    client->read_until("\r\n\r\n");
  }
  ASSERT_TRUE(kept);
  EXPECT_FALSE(kept->open());
  kept->write("text");
  kept->finish();
  EXPECT_EQ(kept->queued_bytes(), 0U);
  Gone reason = Gone::disconnect;
  kept->on_gone([&](Gone given) { reason = given; });
  EXPECT_EQ(reason, Gone::stopped);
}

class UnixSocket : public ::testing::Test {
 protected:
  UnixSocket() {
    std::string pattern = std::filesystem::temp_directory_path() / "unmask-http-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    path_ = folder_ / "socket";
  }
  ~UnixSocket() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_, path_;
};

TEST_F(UnixSocket, ServesThisUserOnly) {
  TestServer server;
  server.server().listen_unix(path_);
  struct stat status = {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  Client client(path_.string());
  client.send("GET /health HTTP/1.1\r\nHost: any\r\n\r\n");
  EXPECT_THAT(client.read_until("\"ok\"}"), HasSubstr("200 OK"));
  EXPECT_TRUE(server.answered().at(0).peer.unix_socket);
}

TEST_F(UnixSocket, GoesWithItsServer) {
  {
    TestServer server;
    server.server().listen_unix(path_);
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(UnixSocket, ReplacesWhatADeadServerLeft) {
  {
    TestServer server;
    server.server().listen_unix(path_);
    std::filesystem::rename(path_, folder_ / "kept");
  }
  std::filesystem::rename(folder_ / "kept", path_);
  TestServer server;
  server.server().listen_unix(path_);
  Client client(path_.string());
  client.send(kHealth);
  EXPECT_THAT(client.read_until("\"ok\"}"), HasSubstr("200 OK"));
}

TEST_F(UnixSocket, LeavesALiveServerAndOtherFilesAlone) {
  TestServer first;
  first.server().listen_unix(path_);
  TestServer second;
  EXPECT_THAT([&] { second.server().listen_unix(path_); },
              ThrowsMessage<Error>(HasSubstr("found a server that listens, expected none")));
  const auto file = folder_ / "file";
  std::ofstream(file) << "text";
  EXPECT_THAT([&] { second.server().listen_unix(file); },
              ThrowsMessage<Error>(HasSubstr("found another kind of file")));
  EXPECT_TRUE(std::filesystem::exists(file));
  EXPECT_THAT([&] { second.server().listen_unix(std::string(200, 'x')); },
              ThrowsMessage<Error>(HasSubstr("[server] socket xxx")));
}

TEST(Listen, AnIpv6SocketTakesIpv4AndNamesItSo) {
  TestServer server;
  int port = 0;
  try {
    port = server.server().listen_tcp("::", 0);
  } catch (const Error&) {
    GTEST_SKIP() << "this machine has no IPv6";
  }
  EXPECT_EQ(ask(port, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 200);
  EXPECT_EQ(server.answered().at(0).peer.address, "127.0.0.1");
}

TEST(Listen, AddressesThatCannotBe) {
  TestServer server;
  const auto listen = [&](const std::string& host, int port) {
    return [&server, host, port] { server.server().listen_tcp(host, port); };
  };
  EXPECT_THAT(listen("example.org", 0), ThrowsMessage<Error>(HasSubstr("expected IPv4, IPv6")));
  EXPECT_THAT(listen("127.0.0.1", 70'000), ThrowsMessage<Error>(HasSubstr("0 to 65535")));
  EXPECT_THAT(listen("127.0.0.1", server.port()), ThrowsMessage<Error>(HasSubstr("a free one")));
  EXPECT_THAT(listen("192.0.2.1", 0), ThrowsMessage<Error>(HasSubstr("192.0.2.1 port 0")));
}

}  // namespace
}  // namespace unmask::http
