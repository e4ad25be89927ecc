#include "serve/http/head.h"

#include <algorithm>

#include "core/error.h"
#include "serve/http/error_reply.h"

namespace unmask::http {

namespace {

bool equal_words(std::string_view a, std::string_view b) { return beast::iequals(a, b); }

Reply malformed(const std::string& message) { return error_reply(400, "bad_request", message); }

std::optional<Reply> refuse_lengths(const Head& head) {
  const int lengths = head.count("content-length");
  if (lengths > 1) {
    return malformed(fmt::format("[http] Content-Length: found {}, expected one", lengths));
  }
  // Beast reads "3, 3" as 3; others may not.
  const std::string* length = head.find("content-length");
  if (length && length->find_first_not_of("0123456789") != std::string::npos) {
    return malformed(
        fmt::format("[http] Content-Length: found '{}', expected digits", printable(*length)));
  }
  const std::string* coding = head.find("transfer-encoding");
  if (!coding) {
    const bool brings = head.method == "POST" || head.method == "PUT" || head.method == "PATCH";
    if (!brings || length) return std::nullopt;
    return error_reply(411, "length_required",
                       "[http] body: found no Content-Length, expected one or chunks");
  }
  if (length) return malformed("[http] body: found a length and a coding, expected one of them");
  if (head.version == 10) {
    return malformed("[http] Transfer-Encoding: found in HTTP/1.0, expected Content-Length");
  }
  if (head.count("transfer-encoding") == 1 && equal_words(*coding, "chunked")) return std::nullopt;
  return error_reply(501, "unsupported_transfer_coding",
                     fmt::format("[http] Transfer-Encoding: found '{}', expected chunked alone",
                                 printable(*coding)));
}

std::optional<Reply> refuse_wishes(const Head& head) {
  if (head.method == "CONNECT" || head.method == "TRACE") {
    Reply reply = error_reply(
        405, "method_not_allowed",
        fmt::format("[http] method: found {}, expected GET, HEAD, POST or OPTIONS", head.method));
    reply.headers.push_back({"Allow", "GET, HEAD, POST, OPTIONS"});
    return reply;
  }
  if (const int hosts = head.count("host"); hosts != 1) {
    return malformed(fmt::format("[http] Host: found {} headers, expected one", hosts));
  }
  if (const std::string* protocol = head.find("upgrade")) {
    return malformed(
        fmt::format("[http] Upgrade: found '{}', expected HTTP/1.1", printable(*protocol)));
  }
  const std::string* expect = head.find("expect");
  if (!expect || (head.count("expect") == 1 && equal_words(*expect, "100-continue"))) {
    return std::nullopt;
  }
  return error_reply(
      417, "expectation_failed",
      fmt::format("[http] Expect: found '{}', expected 100-continue", printable(*expect)));
}

char lower_case(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = lower_case(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// Nothing when an escape is broken.
std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

/// Fills in path and query.
std::optional<Reply> read_target(std::string_view target, Head& head, const Limits& limits) {
  if (target.size() > limits.target) {
    return error_reply(414, "uri_too_long",
                       fmt::format("[http] target: found {} bytes, expected at most {}",
                                   target.size(), limits.target));
  }
  constexpr std::string_view kScheme = "http://";
  std::string_view rest = target;
  if (equal_words(rest.substr(0, kScheme.size()), kScheme)) {  // absolute form
    rest.remove_prefix(kScheme.size());
    const std::string_view host = rest.substr(0, rest.find_first_of("/?"));
    if (!equal_words(host, *head.find("host"))) {
      return malformed(fmt::format("[http] target: found host '{}', expected '{}' as in Host",
                                   printable(host), printable(*head.find("host"))));
    }
    rest.remove_prefix(host.size());
    if (!rest.starts_with('/')) rest = rest.empty() ? "/" : std::string_view();
  }
  const size_t mark = rest.find('?');
  auto path = percent_decoded(rest.substr(0, mark));
  const bool known_form = rest.starts_with('/') || (rest == "*" && head.method == "OPTIONS");
  if (!known_form || !path || rest.find('#') != std::string_view::npos) {
    return malformed(fmt::format("[http] target: found '{}', expected a path", printable(target)));
  }
  head.path = std::move(*path);
  if (mark != std::string_view::npos) head.query = rest.substr(mark + 1);
  return std::nullopt;
}

Head copy_head(const ParsedHead& parsed) {
  Head head;
  head.method = parsed.method_string();
  head.version = static_cast<int>(parsed.version());
  for (const auto& field : parsed) {
    std::string name(field.name_string());
    std::ranges::transform(name, name.begin(), lower_case);
    head.headers.push_back({std::move(name), std::string(field.value())});
  }
  return head;
}

}  // namespace

std::variant<Head, Reply> read_head(const ParsedHead& parsed, std::string_view raw,
                                    const Limits& limits) {
  if (raw.size() > limits.head) return refuse_large_head(raw, limits);
  // A folded line is one header for some and two for others; Beast joins the lines.
  if (raw.find("\r\n ") != std::string_view::npos || raw.find("\r\n\t") != std::string_view::npos) {
    return malformed("[http] headers: found a folded line, expected one line a header");
  }
  Head head = copy_head(parsed);
  if (head.headers.size() > limits.headers) {
    return error_reply(431, "headers_too_large",
                       fmt::format("[http] headers: found {}, expected at most {}",
                                   head.headers.size(), limits.headers));
  }
  if (auto refusal = refuse_wishes(head)) return *std::move(refusal);
  if (auto refusal = refuse_lengths(head)) return *std::move(refusal);
  const std::string_view target(parsed.target().data(), parsed.target().size());
  if (auto refusal = read_target(target, head, limits)) return *std::move(refusal);
  return head;
}

Reply refuse_large_head(std::string_view raw, const Limits& limits) {
  if (raw.find("\r\n") == std::string_view::npos) {
    return error_reply(414, "uri_too_long",
                       fmt::format("[http] target: found more than {} bytes, expected at most {}",
                                   limits.head, limits.target));
  }
  return error_reply(
      431, "headers_too_large",
      fmt::format("[http] headers: found more than {0} bytes, expected at most {0}", limits.head));
}

Reply refuse_syntax(const error_code& error, const Limits& limits) {
  if (error == beast::http::error::body_limit) {
    return error_reply(
        413, "body_too_large",
        fmt::format("[http] body: found more than {0} bytes, expected at most {0}", limits.body));
  }
  return malformed(fmt::format("[http] request: found a {}, expected HTTP/1.1", error.message()));
}

bool expects_continue(const Head& head) { return head.version == 11 && head.find("expect"); }

}  // namespace unmask::http
