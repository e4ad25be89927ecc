// UTF-8 and NFC. Invalid input follows the Unicode standard's recommendation (section 3.9): every
// maximal subpart of an ill-formed sequence counts as one broken character.
#pragma once

#include <string>
#include <string_view>

namespace unmask {

enum class Utf8Status {
  valid,
  invalid,    // can never become a character
  truncated,  // the text ends inside a character that further bytes could complete
};

struct Utf8Step {
  Utf8Status status = Utf8Status::invalid;
  char32_t code_point = 0;  // of a valid character
  int length = 1;           // bytes of the character or of the maximal subpart
};

/// The character that starts at `text[at]`; `at` must be inside the text.
Utf8Step utf8_step(std::string_view text, size_t at);

/// Appends `code_point`, which must be a scalar value.
void append_utf8(char32_t code_point, std::string& out);

/// `text` with every maximal invalid subpart replaced by U+FFFD.
std::string sanitize_utf8(std::string_view text);

/// `text` without Python's white space (str.strip) at both ends; `text` must be valid.
std::string_view trim_unicode(std::string_view text);

/// Canonical composition (NFC) of valid UTF-8 in n log n, also for long runs of combining marks.
std::string normalize_nfc(std::string_view text);

}  // namespace unmask
