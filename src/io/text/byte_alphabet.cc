#include "io/text/byte_alphabet.h"

#include <array>

#include "io/text/utf8.h"

namespace unmask {

namespace {

constexpr char32_t kFirstSubstitute = 0x100;
constexpr int kSubstitutes = 68;

constexpr bool stands_for_itself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

/// The bytes without a printable character of their own, in order.
constexpr std::array<uint8_t, kSubstitutes> substituted_bytes() {
  std::array<uint8_t, kSubstitutes> bytes{};
  size_t count = 0;
  for (int byte = 0; byte < 256; ++byte) {
    if (!stands_for_itself(byte)) bytes[count++] = static_cast<uint8_t>(byte);
  }
  return bytes;
}

constexpr auto kSubstituted = substituted_bytes();

}  // namespace

std::optional<std::string> alphabet_to_bytes(std::string_view text) {
  std::string bytes;
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_step(text, at);
    if (step.status != Utf8Status::valid) return std::nullopt;
    const char32_t c = step.code_point;
    if (c < 0x100 && stands_for_itself(static_cast<int>(c))) {
      bytes += static_cast<char>(static_cast<uint8_t>(c));
    } else if (c >= kFirstSubstitute && c < kFirstSubstitute + kSubstitutes) {
      bytes += static_cast<char>(kSubstituted[c - kFirstSubstitute]);
    } else {
      return std::nullopt;
    }
    at += static_cast<size_t>(step.length);
  }
  return bytes;
}

std::string byte_to_alphabet(uint8_t byte) {
  char32_t c = byte;
  if (!stands_for_itself(byte)) {
    c = kFirstSubstitute;
    while (kSubstituted[c - kFirstSubstitute] != byte) ++c;
  }
  std::string out;
  append_utf8(c, out);
  return out;
}

}  // namespace unmask
