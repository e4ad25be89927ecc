#include "serve/access.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cctype>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "core/error.h"
#include "serve/http/error_reply.h"

namespace unmask::http {

namespace {

constexpr size_t kMostFailures = 20;
constexpr std::chrono::seconds kFailureTime{60};
/// Addresses whose failures are remembered, about 1 kB each with their times.
constexpr size_t kMostAddresses = 4096;

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

std::string_view without_port(std::string_view host) {
  const size_t end = host.starts_with('[') ? host.find(']') : host.rfind(':');
  if (end == std::string_view::npos) return host;
  return host.substr(0, host.starts_with('[') ? end + 1 : end);
}

bool valid_port(std::string_view text) {  // empty, or ":8080"
  if (text.empty()) return true;
  text.remove_prefix(1);
  return !text.empty() && text.size() <= 5 &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_address(std::string_view host) {
  in6_addr bytes;
  if (host.starts_with('[') && host.ends_with(']')) {
    return inet_pton(AF_INET6, std::string(host.substr(1, host.size() - 2)).c_str(), &bytes) == 1;
  }
  return inet_pton(AF_INET, std::string(host).c_str(), &bytes) == 1;
}

/// Who failures count for: all of an IPv6 network of 64 bits, which one client may own.
std::string failure_address(const std::string& address) {
  in6_addr bytes;
  if (inet_pton(AF_INET6, address.c_str(), &bytes) != 1) return address;
  return std::string(reinterpret_cast<const char*>(&bytes), 8);
}

/// Empty without one, which no rule allows.
std::string_view host_of(const Head& head) {
  const std::string* host = head.find("host");
  return host ? std::string_view(*host) : std::string_view();
}

bool reads_only(const Head& head) { return head.method == "GET" || head.method == "HEAD"; }

/// Behind a proxy on this machine everybody has the same address: one of them must not be able to
/// lock out the others.
bool counts_failures(const Peer& peer) {
  return !peer.unix_socket && !peer.address.starts_with("127.") && peer.address != "::1";
}

std::string_view key_text(const Head& head) {
  const std::string* bearer = head.find("authorization");
  if (!bearer) {
    const std::string* plain = head.find("x-api-key");
    return plain ? std::string_view(*plain) : std::string_view();
  }
  constexpr std::string_view kScheme = "bearer ";
  const std::string_view value = *bearer;
  if (lower_case(value.substr(0, kScheme.size())) != kScheme) return {};
  return value.substr(std::min(value.find_first_not_of(' ', kScheme.size()), value.size()));
}

Reply forbidden(std::string_view code, const std::string& message) {
  return error_reply(403, code, message);
}

}  // namespace

Access::Access(AccessOptions options) : options_(std::move(options)) {
  for (auto& host : options_.hosts) host = lower_case(host);
  for (auto& origin : options_.origins) {
    origin = lower_case(origin);
    const size_t scheme = origin.find("://");
    if (origin == "*" && !options_.keys.empty()) {
      fail("[access] origins: found '*' together with a key, expected the pages that may use it");
    }
    if (origin != "*" &&
        (scheme == std::string::npos || origin.find('/', scheme + 3) != std::string::npos)) {
      fail("[access] origin: found '{}', expected one like https://example.org", printable(origin));
    }
  }
  for (const auto& key : options_.keys) {
    if (key.empty()) fail("[access] key: found an empty one, expected characters");
    keys_.push_back(digest(key));
  }
}

Access::Digest Access::digest(std::string_view key) {
  Digest out;
  size_t size = out.size();
  const int done =
      EVP_Q_digest(nullptr, "SHA256", nullptr, key.data(), key.size(), out.data(), &size);
  UNMASK_CHECK(done == 1, "the library of digests has no SHA-256");
  return out;
}

std::optional<size_t> Access::key(const Head& head) const {
  const Digest given = digest(key_text(head));
  std::optional<size_t> found;
  // All of them, so that the time tells nothing.
  for (size_t i = 0; i < keys_.size(); ++i) {
    if (CRYPTO_memcmp(given.data(), keys_[i].data(), given.size()) == 0) found = i;
  }
  return found;
}

bool Access::knows_host(std::string_view given) const {
  const std::string host = lower_case(given);
  const std::string name(without_port(host));
  if (!valid_port(std::string_view(host).substr(name.size()))) return false;
  const auto named = [&](std::string_view known) { return known == host || known == name; };
  if (named("localhost") || named("127.0.0.1") || named("[::1]")) return true;
  // No name leads a browser to an address in numbers: such a Host was typed.
  return std::ranges::any_of(options_.hosts, named) || (!options_.loopback && is_address(name));
}

bool Access::allows_origin(const std::string& origin) const {
  const std::string lower = lower_case(origin);
  return std::ranges::any_of(options_.origins, [&](const std::string& allowed) {
    return allowed == "*" || allowed == lower;
  });
}

std::optional<Reply> Access::judge_origin(const Head& head) const {
  const std::string* origin = head.find("origin");
  if (!origin) return std::nullopt;
  const std::string host = lower_case(host_of(head));
  const std::string lower = lower_case(*origin);
  const bool own = lower == "http://" + host || lower == "https://" + host;
  const bool allowed = head.count("origin") == 1 && (own || allows_origin(*origin));
  const bool preflight =
      head.method == "OPTIONS" && head.find("access-control-request-method") != nullptr;
  if (allowed && preflight) return Reply{.status = 204, .body = {}};
  if (allowed || reads_only(head)) return std::nullopt;
  return forbidden("origin_not_allowed",
                   fmt::format("[access] Origin: found '{}', expected this server's or one of "
                               "--allow-origin",
                               printable(*origin)));
}

std::optional<Reply> Access::judge_key(const Head& head, const Peer& peer, Clock::time_point now) {
  const bool is_free = reads_only(head) && std::ranges::find(options_.free_paths, head.path) !=
                                               options_.free_paths.end();
  if (keys_.empty() || is_free) return std::nullopt;
  const std::string address = failure_address(peer.address);
  auto failures = failures_.find(address);
  if (failures != failures_.end()) {
    auto& times = failures->second;
    while (!times.empty() && times.front() + kFailureTime <= now) times.pop_front();
    if (times.size() >= kMostFailures) {
      const auto wait = std::chrono::ceil<std::chrono::seconds>(times.front() + kFailureTime - now);
      Reply reply =
          error_reply(429, "too_many_failures",
                      fmt::format("[access] key: found {} wrong ones in a minute, expected fewer",
                                  times.size()));
      reply.headers.push_back({"Retry-After", std::to_string(wait.count())});
      return reply;
    }
  }
  const bool once = head.count("authorization") <= 1 && head.count("x-api-key") <= 1;
  if (key(head) && once) return std::nullopt;
  if (counts_failures(peer)) {
    if (failures == failures_.end() && failures_.size() >= kMostAddresses) {
      std::erase_if(failures_, [&](const auto& entry) {
        return entry.second.empty() || entry.second.back() + kFailureTime <= now;
      });
      // So many within a minute are an attack that the count of each could not stop anyway.
      if (failures_.size() >= kMostAddresses) failures_.clear();
    }
    failures_[address].push_back(now);
  }
  Reply reply = error_reply(401, "invalid_api_key",
                            "[access] key: found none that is known, expected Authorization: "
                            "Bearer KEY or x-api-key");
  reply.headers.push_back({"WWW-Authenticate", "Bearer"});
  return reply;
}

std::optional<Reply> Access::judge(const Head& head, const Peer& peer, Clock::time_point now) {
  // A Unix socket is reached by no page, and clients put anything into its Host.
  const std::string_view host = host_of(head);
  if (!peer.unix_socket && !knows_host(host)) {
    return forbidden("host_not_allowed",
                     fmt::format("[access] Host: found '{}', expected {} or one of --allow-host",
                                 printable(host), options_.loopback ? "localhost" : "an address"));
  }
  if (auto reply = judge_origin(head)) return reply;
  return judge_key(head, peer, now);
}

Headers Access::headers(const Head& head) const {
  const std::string* origin = head.find("origin");
  if (options_.origins.empty() || !origin || !allows_origin(*origin)) return {};
  const bool any = options_.origins == std::vector<std::string>{"*"};
  Headers out{{"Access-Control-Allow-Origin", any ? "*" : *origin},
              {"Vary", "Origin"},
              {"Access-Control-Expose-Headers", "X-Request-Id, Retry-After"}};
  if (head.method != "OPTIONS") return out;
  out.push_back({"Access-Control-Allow-Methods", "GET, HEAD, POST, OPTIONS"});
  // Clients in browsers send headers of their own, which mean nothing here and do no harm.
  const std::string* wanted = head.find("access-control-request-headers");
  if (wanted) out.push_back({"Access-Control-Allow-Headers", *wanted});
  out.push_back({"Access-Control-Max-Age", "600"});
  return out;
}

std::optional<Reply> refuse_content(const Head& head) {
  if (reads_only(head) || head.method == "OPTIONS") return std::nullopt;
  const std::string* type = head.find("content-type");
  std::string media = type ? lower_case(type->substr(0, type->find(';'))) : "";
  media.erase(media.find_last_not_of(" \t") + 1);
  if (media != "application/json" || head.count("content-type") != 1) {
    return error_reply(415, "unsupported_media_type",
                       fmt::format("[access] Content-Type: found '{}', expected application/json "
                                   "(curl: -H 'Content-Type: application/json')",
                                   type ? printable(*type) : ""));
  }
  const std::string* coding = head.find("content-encoding");
  if (!coding || lower_case(*coding) == "identity") return std::nullopt;
  return error_reply(
      415, "unsupported_media_type",
      fmt::format("[access] Content-Encoding: found '{}', expected none", printable(*coding)));
}

}  // namespace unmask::http
