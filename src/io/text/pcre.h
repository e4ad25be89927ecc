#pragma once
// What every user of PCRE2 here asks of it besides the search itself. The library's own header is
// read here only, because it must be told the width of its characters first.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string>
#include <string_view>

namespace unmask {

/// The text as the library takes it; an empty view may hold a null pointer, which it takes for a
/// mistake.
inline PCRE2_SPTR code_units(std::string_view text) {
  return reinterpret_cast<PCRE2_SPTR>(text.empty() ? "" : text.data());
}

inline std::string pcre_message(int code) {
  unsigned char text[256];
  pcre2_get_error_message(code, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

}  // namespace unmask
