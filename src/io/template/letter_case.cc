// Upper and lower case of texts.
#include <utf8proc.h>

#include "io/template/text.h"
#include "io/text/utf8.h"

namespace unmask::jinja {

namespace {

enum class Case : uint8_t { upper, lower, title };

/// Letters whose upper case are several.
std::string_view several_letters(char32_t c) {
  switch (c) {
    case 0xDF: return "ss";
    case 0xFB00: return "ff";
    case 0xFB01: return "fi";
    case 0xFB02: return "fl";
    case 0xFB03: return "ffi";
    case 0xFB04: return "ffl";
    case 0xFB05:
    case 0xFB06: return "st";
    default: return {};
  }
}

void append_in_case(const Characters& at, Case to, Text& out) {
  std::string letters;
  const auto c = static_cast<utf8proc_int32_t>(at.code_point());
  const std::string_view several = to == Case::lower ? "" : several_letters(at.code_point());
  if (!several.empty()) {
    letters = several;
    for (char& letter : letters) {
      const bool rises = to == Case::upper || &letter == letters.data();
      if (rises) letter = static_cast<char>(letter - 'a' + 'A');
    }
  } else {
    const utf8proc_int32_t mapped = to == Case::upper   ? utf8proc_toupper(c)
                                    : to == Case::lower ? utf8proc_tolower(c)
                                                        : utf8proc_totitle(c);
    append_utf8(static_cast<char32_t>(mapped), letters);
  }
  out.append(letters, at.quoted());
}

bool is_cased(char32_t c) {
  const auto point = static_cast<utf8proc_int32_t>(c);
  return utf8proc_toupper(point) != point || utf8proc_tolower(point) != point || c == 0xDF;
}

Text all_in_case(const Text& text, Case to) {
  Text out;
  Characters at(text);
  while (at.next()) append_in_case(at, to, out);
  return out;
}

}  // namespace

Text upper(const Text& text) { return all_in_case(text, Case::upper); }
Text lower(const Text& text) { return all_in_case(text, Case::lower); }

Text title(const Text& text) {
  Text out;
  bool inside = false;
  Characters at(text);
  while (at.next()) {
    append_in_case(at, inside ? Case::lower : Case::title, out);
    inside = is_cased(at.code_point());
  }
  return out;
}

Text capitalize(const Text& text) {
  Text out;
  Characters at(text);
  while (at.next()) append_in_case(at, at.begin() == 0 ? Case::title : Case::lower, out);
  return out;
}

}  // namespace unmask::jinja
