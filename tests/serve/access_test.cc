#include "serve/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace unmask::http {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

using Seconds = std::chrono::seconds;

const Peer kStranger{.unix_socket = false, .address = "192.0.2.7"};
const Peer kNeighbour{.unix_socket = false, .address = "127.0.0.1"};

Head head(const std::string& method, Headers headers, const std::string& path = "/v1/models") {
  const bool named = std::ranges::find(headers, "host", &Header::name) != headers.end();
  if (!named) headers.push_back({"host", "localhost:8080"});
  return {.method = method, .path = path, .query = {}, .headers = std::move(headers)};
}

AccessOptions options() { return {.hosts = {}, .origins = {}, .keys = {}, .free_paths = {}}; }

AccessOptions with_keys() {
  auto out = options();
  out.keys = {"first-key", "second-key"};
  out.free_paths = {"/health"};
  return out;
}

AccessOptions with_origin(const std::string& origin) {
  auto out = options();
  out.origins = {origin};
  return out;
}

int status(Access& access, const Head& head, const Peer& peer = kNeighbour) {
  const auto reply = access.judge(head, peer);
  return reply ? reply->status : 0;
}

TEST(Access, KnowsLoopbackByItsNamesOnly) {
  Access access(options());
  for (const char* host : {"localhost", "LocalHost:8080", "127.0.0.1", "127.0.0.1:1", "[::1]:80"}) {
    EXPECT_EQ(status(access, head("GET", {{"host", host}})), 0) << host;
  }
  for (const char* host :
       {"", "evil.example", "localhost.evil.example", "localhost:", "localhost:x", "192.0.2.1",
        "[::1", "localhost:80:80", "127.0.0.1@evil.example"}) {
    EXPECT_EQ(status(access, head("GET", {{"host", host}})), 403) << host;
  }
  EXPECT_EQ(status(access, {.method = "GET", .path = "/", .query = {}, .headers = {}}), 403);
}

TEST(Access, KnowsTheNamesItWasGivenAndAddresses) {
  auto given = options();
  given.loopback = false;
  given.hosts = {"Box.lan", "proxy.lan:8443"};
  Access access(given);
  for (const char* host :
       {"box.lan", "BOX.lan:9", "proxy.lan:8443", "192.0.2.1:8080", "[2001:db8::1]", "localhost"}) {
    EXPECT_EQ(status(access, head("GET", {{"host", host}})), 0) << host;
  }
  for (const char* host : {"proxy.lan", "evil.example", "[box.lan]"}) {
    EXPECT_EQ(status(access, head("GET", {{"host", host}})), 403) << host;
  }
}

TEST(Access, AUnixSocketTakesAnyHost) {
  Access access(options());
  EXPECT_EQ(status(access, head("GET", {{"host", "x"}}), {.unix_socket = true, .address = {}}), 0);
}

TEST(Access, PagesElsewhereMayReadNothingAndSendNothing) {
  Access access(options());
  for (const char* origin : {"https://evil.example", "null", "http://localhost:3000"}) {
    const Head post = head("POST", {{"origin", origin}});
    const auto reply = access.judge(post, kNeighbour);
    ASSERT_TRUE(reply) << origin;
    EXPECT_EQ(reply->status, 403);
    EXPECT_THAT(reply->body, HasSubstr("origin_not_allowed"));
    EXPECT_THAT(access.headers(post), IsEmpty());
    EXPECT_EQ(status(access, head("GET", {{"origin", origin}})), 0);
  }
  EXPECT_EQ(status(access, head("POST", {{"origin", "http://localhost:8080"}})), 0);
}

TEST(Access, PreflightsAreAnsweredForAllowedOriginsOnly) {
  Access access(with_origin("https://Page.example"));
  const auto ask = [](const char* origin) {
    return head("OPTIONS", {{"origin", origin},
                            {"access-control-request-method", "POST"},
                            {"access-control-request-headers", "authorization,x-any"}});
  };
  const Head good = ask("https://page.example");
  EXPECT_EQ(status(access, good), 204);
  EXPECT_THAT(access.headers(good),
              Contains(Header{"Access-Control-Allow-Origin", "https://page.example"}));
  EXPECT_THAT(access.headers(good),
              Contains(Header{"Access-Control-Allow-Headers", "authorization,x-any"}));
  EXPECT_EQ(status(access, ask("https://evil.example")), 403);
  EXPECT_THAT(access.headers(ask("https://evil.example")), IsEmpty());
  EXPECT_EQ(status(access, head("POST", {{"origin", "https://page.example"}})), 0);
  EXPECT_EQ(status(access, head("POST", {{"origin", "https://page.example"},
                                         {"origin", "https://evil.example"}})),
            403);
}

TEST(Access, APreflightNeedsNoKey) {
  auto given = with_keys();
  given.origins = {"https://page.example"};
  Access access(given);
  EXPECT_EQ(status(access, head("OPTIONS", {{"origin", "https://page.example"},
                                            {"access-control-request-method", "POST"}})),
            204);
  EXPECT_EQ(status(access, head("OPTIONS", {})), 401);
}

TEST(Access, EveryPageMayAskWhereThatWasSaid) {
  Access access(with_origin("*"));
  const Head post = head("POST", {{"origin", "https://any.example"}});
  EXPECT_EQ(status(access, post), 0);
  EXPECT_THAT(access.headers(post), Contains(Header{"Access-Control-Allow-Origin", "*"}));
  EXPECT_THAT(access.headers(head("POST", {})), IsEmpty());
}

TEST(Access, RefusesOptionsThatCannotBeMeant) {
  auto both = with_keys();
  both.origins = {"*"};
  EXPECT_THAT([&] { Access access(both); }, ThrowsMessage<Error>(HasSubstr("together with a key")));
  auto empty = options();
  empty.keys = {""};
  EXPECT_THAT([&] { Access access(empty); }, ThrowsMessage<Error>(HasSubstr("an empty one")));
  for (const char* origin : {"page.example", "https://page.example/"}) {
    EXPECT_THAT([&] { Access access(with_origin(origin)); },
                ThrowsMessage<Error>(HasSubstr("[access] origin: found")));
  }
}

TEST(Access, TakesKeysInBothHeaders) {
  Access access(with_keys());
  for (const auto& header :
       {Header{"authorization", "Bearer first-key"}, Header{"authorization", "bearer  second-key"},
        Header{"x-api-key", "second-key"}}) {
    EXPECT_EQ(status(access, head("POST", {header})), 0) << header.value;
  }
  EXPECT_EQ(access.key(head("POST", {{"x-api-key", "second-key"}})), 1U);
  for (const auto& header :
       {Header{"authorization", "Bearer first"}, Header{"authorization", "first-key"},
        Header{"authorization", "Basic first-key"}, Header{"authorization", "Bearer"},
        Header{"x-api-key", ""}, Header{"x-api-key", std::string(10'000, 'k')}}) {
    EXPECT_EQ(status(access, head("POST", {header})), 401) << header.value;
  }
  EXPECT_EQ(status(access, head("POST", {})), 401);
  EXPECT_EQ(status(access, head("POST", {{"authorization", "Bearer first-key"},
                                         {"authorization", "Bearer x"}})),
            401);
}

TEST(Access, FreePathsNeedNoKey) {
  Access access(with_keys());
  EXPECT_EQ(status(access, head("GET", {}, "/health")), 0);
  EXPECT_EQ(status(access, head("HEAD", {}, "/health")), 0);
  EXPECT_EQ(status(access, head("POST", {}, "/health")), 401);
  EXPECT_EQ(status(access, head("GET", {}, "/health/")), 401);
}

TEST(Access, TwentyFailuresAMinuteLockAnAddressOut) {
  Access access(with_keys());
  const auto start = Access::Clock::now();
  const Head good = head("POST", {{"x-api-key", "first-key"}});
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(access.judge(head("POST", {}), kStranger, start + Seconds(i))->status, 401);
  }
  const auto reply = access.judge(good, kStranger, start + Seconds(30));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 429);
  EXPECT_THAT(reply->headers, Contains(Header{"Retry-After", "30"}));
  EXPECT_FALSE(access.judge(good, {.unix_socket = false, .address = "192.0.2.8"}, start));
  EXPECT_FALSE(access.judge(good, kStranger, start + Seconds(60)));
}

TEST(Access, AnIpv6NetworkCountsAsOneAddress) {
  Access access(with_keys());
  const auto start = Access::Clock::now();
  for (int i = 0; i < 20; ++i) {
    const Peer peer{.unix_socket = false, .address = fmt::format("2001:db8::{:x}", i)};
    EXPECT_EQ(access.judge(head("POST", {}), peer, start)->status, 401);
  }
  const Peer next{.unix_socket = false, .address = "2001:db8::ffff"};
  EXPECT_EQ(access.judge(head("POST", {}), next, start)->status, 429);
  const Peer other{.unix_socket = false, .address = "2001:db8:0:1::1"};
  EXPECT_EQ(access.judge(head("POST", {}), other, start)->status, 401);
}

TEST(Access, NeighboursBehindAProxyDoNotLockEachOtherOut) {
  Access access(with_keys());
  for (int i = 0; i < 30; ++i) EXPECT_EQ(status(access, head("POST", {})), 401);
  EXPECT_EQ(status(access, head("POST", {{"x-api-key", "first-key"}})), 0);
}

TEST(Access, RemembersTheFailuresOfAFewAddressesOnly) {
  Access access(with_keys());
  for (int i = 0; i < 10'000; ++i) {
    const Peer peer{.unix_socket = false, .address = fmt::format("10.0.{}.{}", i / 256, i % 256)};
    EXPECT_EQ(access.judge(head("POST", {}), peer)->status, 401);
  }
}

TEST(Content, IsJsonAndNothingElse) {
  const auto refused = [](Headers headers) {
    const auto reply = refuse_content(head("POST", std::move(headers)));
    return reply ? reply->status : 0;
  };
  EXPECT_EQ(refused({{"content-type", "application/json"}}), 0);
  EXPECT_EQ(refused({{"content-type", "Application/JSON ; charset=utf-8"}}), 0);
  EXPECT_EQ(refused({{"content-type", "application/json"}, {"content-encoding", "identity"}}), 0);
  EXPECT_EQ(refused({{"content-type", "application/json"}, {"content-encoding", "gzip"}}), 415);
  EXPECT_EQ(refused({{"content-type", "application/json"}, {"content-type", "text/plain"}}), 415);
  EXPECT_EQ(refused({{"content-type", "text/plain"}}), 415);
  EXPECT_EQ(refused({{"content-type", "application/jsonx"}}), 415);
  EXPECT_EQ(refused({}), 415);
  EXPECT_FALSE(refuse_content(head("GET", {})));
  EXPECT_FALSE(refuse_content(head("OPTIONS", {})));
}

}  // namespace
}  // namespace unmask::http
