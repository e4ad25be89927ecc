#include "io/text/utf8.h"

#include <algorithm>
#include <utf8proc.h>
#include <vector>

#include "core/error.h"

namespace unmask {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr auto kDecompose = static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_STABLE);
constexpr auto kCompose = static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE);

struct LeadByte {
  int length = 0;  // 0: no character starts with this byte
  uint8_t second_low = 0x80;
  uint8_t second_high = 0xBF;
};

/// Table 3-7 of the Unicode standard: only the second byte has limits beyond 80..BF.
LeadByte classify(uint8_t byte) {
  if (byte < 0x80) return {.length = 1};
  if (byte < 0xC2) return {};
  if (byte < 0xE0) return {.length = 2};
  if (byte == 0xE0) return {.length = 3, .second_low = 0xA0};
  if (byte == 0xED) return {.length = 3, .second_high = 0x9F};
  if (byte < 0xF0) return {.length = 3};
  if (byte == 0xF0) return {.length = 4, .second_low = 0x90};
  if (byte < 0xF4) return {.length = 4};
  if (byte == 0xF4) return {.length = 4, .second_high = 0x8F};
  return {};
}

/// What Python's str.strip removes (it differs from the pattern engine's \s in 001C..001F).
bool is_python_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

std::vector<utf8proc_int32_t> decompose(std::string_view text) {
  std::vector<utf8proc_int32_t> out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_step(text, at);
    at += static_cast<size_t>(step.length);
    utf8proc_int32_t parts[32];  // canonical decompositions have at most 4 parts
    const utf8proc_ssize_t count = utf8proc_decompose_char(
        static_cast<utf8proc_int32_t>(step.code_point), parts, 32, kDecompose, nullptr);
    UNMASK_CHECK(count > 0 && count <= 32, "the text to normalise must be valid UTF-8");
    out.insert(out.end(), parts, parts + count);
  }
  return out;
}

/// Canonical ordering. The library's own is quadratic in the length of a run of marks.
void order_marks(std::vector<utf8proc_int32_t>& points) {
  const auto combining_class = [](utf8proc_int32_t c) {
    return utf8proc_get_property(c)->combining_class;
  };
  for (auto begin = points.begin(); begin != points.end();) {
    if (combining_class(*begin) == 0) {
      ++begin;
      continue;
    }
    const auto end = std::find_if(begin, points.end(),
                                  [&](utf8proc_int32_t c) { return combining_class(c) == 0; });
    std::stable_sort(begin, end, [&](utf8proc_int32_t a, utf8proc_int32_t b) {
      return combining_class(a) < combining_class(b);
    });
    begin = end;
  }
}

}  // namespace

Utf8Step utf8_step(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[at + i]); };
  const LeadByte lead = classify(byte(0));
  if (lead.length == 0) return {};
  if (lead.length == 1) return {Utf8Status::valid, byte(0), 1};
  char32_t code_point = byte(0) & (0x7FU >> lead.length);
  for (int i = 1; i < lead.length; ++i) {
    const auto index = static_cast<size_t>(i);
    if (at + index >= text.size()) return {Utf8Status::truncated, 0, i};
    const uint8_t low = i == 1 ? lead.second_low : 0x80;
    const uint8_t high = i == 1 ? lead.second_high : 0xBF;
    if (byte(index) < low || byte(index) > high) return {Utf8Status::invalid, 0, i};
    code_point = (code_point << 6) | (byte(index) & 0x3FU);
  }
  return {Utf8Status::valid, code_point, lead.length};
}

void append_utf8(char32_t code_point, std::string& out) {
  const auto put = [&](char32_t byte) { out += static_cast<char>(static_cast<uint8_t>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
    return;
  }
  if (code_point < 0x800) {
    put(0xC0 | (code_point >> 6));
  } else {
    if (code_point < 0x10000) {
      put(0xE0 | (code_point >> 12));
    } else {
      put(0xF0 | (code_point >> 18));
      put(0x80 | ((code_point >> 12) & 0x3F));
    }
    put(0x80 | ((code_point >> 6) & 0x3F));
  }
  put(0x80 | (code_point & 0x3F));
}

std::string sanitize_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_step(text, at);
    const auto length = static_cast<size_t>(step.length);
    out += step.status == Utf8Status::valid ? text.substr(at, length) : kReplacement;
    at += length;
  }
  return out;
}

std::string_view trim_unicode(std::string_view text) {
  size_t begin = 0;
  while (begin < text.size()) {
    const Utf8Step step = utf8_step(text, begin);
    if (!is_python_space(step.code_point)) break;
    begin += static_cast<size_t>(step.length);
  }
  size_t end = begin;  // end of the last character that stays
  for (size_t at = begin; at < text.size();) {
    const Utf8Step step = utf8_step(text, at);
    at += static_cast<size_t>(step.length);
    if (!is_python_space(step.code_point)) end = at;
  }
  return text.substr(begin, end - begin);
}

std::string normalize_nfc(std::string_view text) {
  if (is_ascii(text)) return std::string(text);
  std::vector<utf8proc_int32_t> points = decompose(text);
  order_marks(points);
  const utf8proc_ssize_t count = utf8proc_normalize_utf32(
      points.data(), static_cast<utf8proc_ssize_t>(points.size()), kCompose);
  UNMASK_CHECK(count >= 0, "composing characters failed");
  points.resize(static_cast<size_t>(count));
  std::string out;
  out.reserve(text.size());
  for (const utf8proc_int32_t c : points) append_utf8(static_cast<char32_t>(c), out);
  return out;
}

}  // namespace unmask
