// Who may ask: hosts, origins, keys, and bodies of the one kind that is served.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/message.h"

namespace unmask::http {

struct AccessOptions {
  bool loopback = true;              // the address that is bound can be reached from here only
  std::vector<std::string> hosts;    // more names for this server, with or without a port
  std::vector<std::string> origins;  // of pages that may ask, "https://example.org"; "*": any page
  std::vector<std::string> keys;     // empty: no key is asked for
  std::vector<std::string> free_paths;  // GET and HEAD need no key
};

/// Judges requests by their heads. A page elsewhere that a browser of this machine shows must not
/// reach the server: not under a name of its own that points here (Host), not across origins.
class Access {
 public:
  using Clock = std::chrono::steady_clock;

  /// Throws Error for empty keys, for origins that are none, and for "*" together with a key.
  explicit Access(AccessOptions options);

  /// The answer to who may not ask, or to a preflight of a browser: Host, Origin, then the key.
  std::optional<Reply> judge(const Head& head, const Peer& peer,
                             Clock::time_point now = Clock::now());
  /// What browsers must read beside an answer for pages of allowed origins; empty for others.
  Headers headers(const Head& head) const;
  /// Which of the keys came with a request that was let in; nothing without one.
  std::optional<size_t> key(const Head& head) const;

 private:
  using Digest = std::array<unsigned char, 32>;

  bool knows_host(std::string_view host) const;
  bool allows_origin(const std::string& origin) const;
  std::optional<Reply> judge_origin(const Head& head) const;
  std::optional<Reply> judge_key(const Head& head, const Peer& peer, Clock::time_point now);
  static Digest digest(std::string_view key);

  AccessOptions options_;
  std::vector<Digest> keys_;
  std::map<std::string, std::deque<Clock::time_point>> failures_;  // by address, oldest first
};

/// 415 for a body that is not plain JSON. Anything a page could send across origins without asking
/// first (forms, text, no type at all) is among that.
std::optional<Reply> refuse_content(const Head& head);

}  // namespace unmask::http
