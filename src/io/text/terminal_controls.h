// Characters that a terminal obeys instead of showing them.
#pragma once

namespace unmask {

/// Controls (C0, line breaks and tabs among them, DEL, C1), and the marks that show the text around
/// them in another order than it has: embeddings, overrides and isolates (Boucher and Anderson,
/// "Trojan Source", arXiv 2111.00169).
constexpr bool steers_terminal(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069);
}

}  // namespace unmask
