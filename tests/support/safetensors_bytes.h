// Safetensors files made by hand, so that tests can put any defect into them.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace unmask::testing {

/// A file with this header text, unpadded, and these data bytes.
inline std::string safetensors_bytes(std::string_view header, std::string_view data) {
  const uint64_t length = header.size();
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  return file.append(header).append(data);
}

}  // namespace unmask::testing
