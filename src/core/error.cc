#include "core/error.h"

#include <string_view>

namespace unmask {

void check_failed(const char* condition, const char* file, int line, const std::string& what) {
  throw LogicError(fmt::format("{}:{}: {} [{}]", file, line, what, condition));
}

std::string printable(std::string_view text, size_t limit) {
  std::string out;
  for (const char c : text.substr(0, limit)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f || c == '\\') {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  if (text.size() > limit) out += "...";
  return out;
}

}  // namespace unmask
