#include "serve/http/reply_text.h"

#include <chrono>
#include <cstdint>
#include <ctime>
#include <fmt/chrono.h>
#include <sys/random.h>

#include "core/error.h"
#include "serve/http/beast.h"

namespace unmask::http {

namespace {

std::string date_text() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(now));
}

}  // namespace

std::string random_id() {
  uint64_t bits = 0;
  // Waits until the system has seeded its generator, which is long before servers run.
  UNMASK_CHECK(getentropy(&bits, sizeof bits) == 0, "the system has no random bytes");
  return fmt::format("{:016x}", bits);
}

std::string head_text(int status, const Headers& headers) {
  const auto reason = beast::http::obsolete_reason(beast::http::int_to_status(status));
  std::string out = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\n", status,
                                std::string_view(reason.data(), reason.size()), date_text());
  for (const auto& [name, value] : headers) {
    UNMASK_CHECK((name + value).find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos,
                 "a header of a reply holds a line end");
    out += fmt::format("{}: {}\r\n", name, value);
  }
  return out + "\r\n";
}

bool has_body(int status) { return status >= 200 && status != 204 && status != 304; }

}  // namespace unmask::http
