// SHA-256 (FIPS 180-4), for golden data that stores a digest instead of a long list.
#pragma once

#include <string>
#include <string_view>

namespace unmask {

/// Digest of `text` in lower-case hexadecimal.
std::string sha256_hex(std::string_view text);

}  // namespace unmask
