// Damaged variants of a valid file: whatever they hold, a reader may only load them or throw Error.
#pragma once

#include <functional>
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <string_view>

#include "core/error.h"
#include "support/temp_dir.h"

namespace unmask::testing {

struct FuzzCounts {
  int loaded = 0;
  int refused = 0;
};

/// Calls `read` on every truncation of `valid` and on `flips` copies with one to four random bytes
/// replaced, half of them within the first `header` bytes, where the structure is.
inline FuzzCounts fuzz(std::string_view valid, size_t header, int flips,
                       const std::function<void(const std::filesystem::path&)>& read) {
  const TempDir dir;
  FuzzCounts counts;
  const auto attempt = [&](std::string_view content) {
    const auto file = dir.write("damaged", content);
    try {
      read(file);
      ++counts.loaded;
    } catch (const Error& error) {
      EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos) << error.what();
      ++counts.refused;
    }
  };
  for (size_t length = 0; length < valid.size(); ++length) attempt(valid.substr(0, length));
  std::mt19937_64 random(20240229);
  for (int i = 0; i < flips; ++i) {
    std::string content(valid);
    const uint64_t n_bytes = 1 + random() % 4;
    const size_t limit = i % 2 == 0 ? header : valid.size();
    for (uint64_t n = 0; n < n_bytes; ++n) {
      content[random() % limit] = static_cast<char>(random() & 0xffU);
    }
    attempt(content);
  }
  return counts;
}

/// The content of a file.
inline std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace unmask::testing
