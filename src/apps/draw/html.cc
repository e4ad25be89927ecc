#include "apps/draw/html.h"

#include "io/text/utf8.h"

namespace unmask {

std::string html_text(std::string_view text) {
  std::string out;
  for (const char c : sanitize_utf8(text)) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

}  // namespace unmask
