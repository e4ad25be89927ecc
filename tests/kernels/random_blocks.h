// Random matrices in the block formats of GGUF files.
#pragma once

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "core/block_format.h"
#include "kernels/backend.h"

namespace unmask::testing {

inline std::vector<BlockFormat> block_formats() {
  std::vector<BlockFormat> all;
  for (int i = 0; i < kBlockFormats; ++i) all.push_back(static_cast<BlockFormat>(i));
  return all;
}

/// The format's name as part of a test's.
inline std::string test_name(BlockFormat format) { return std::string(block_traits(format).name); }

/// Where a block keeps its float16 numbers; -1: it has none.
struct HalfPlaces {
  int scale;
  int min;
};
inline HalfPlaces half_places(BlockFormat format) {
  switch (format) {
    case BlockFormat::q4_1:
    case BlockFormat::q5_1:
    case BlockFormat::q4_k:
    case BlockFormat::q5_k: return {0, 2};
    case BlockFormat::q2_k: return {80, 82};
    case BlockFormat::q3_k: return {108, -1};
    case BlockFormat::q6_k: return {208, -1};
    case BlockFormat::mxfp4: return {-1, -1};
    default: return {0, -1};
  }
}

/// [out, in], every bit of a block at random but for its float16 numbers, which are normally
/// distributed around 0 (MXFP4: exponents around 1). The data are never aligned.
class RandomBlocks {
 public:
  RandomBlocks(std::mt19937& random, BlockFormat format, int out, int in, float scale = 0.01F)
      : format_(format), out_(out), in_(in) {
    const auto bytes = static_cast<size_t>(block_traits(format).bytes);
    const size_t row = block_bytes(format, static_cast<size_t>(in));
    bytes_.resize(row * static_cast<size_t>(out) + 1);
    for (std::byte& b : bytes_) b = static_cast<std::byte>(random());
    std::normal_distribution<float> normal(0, scale);
    const auto [d, m] = half_places(format);
    for (size_t at = 1; at < bytes_.size(); at += bytes) {
      for (const int place : {d, m}) {
        if (place < 0) continue;
        const uint16_t half = f32_to_f16(normal(random));
        std::memcpy(bytes_.data() + at + place, &half, sizeof half);
      }
      if (format == BlockFormat::mxfp4) bytes_[at] = static_cast<std::byte>(118 + random() % 8);
    }
  }

  HostMatrix matrix() const {
    return {.data = bytes_.data() + 1, .out = out_, .in = in_, .blocks = format_};
  }
  /// The values, row by row.
  std::vector<float> values() const {
    std::vector<float> all(static_cast<size_t>(out_) * static_cast<size_t>(in_));
    dequantize(format_, bytes_.data() + 1, all.size(), all.data());
    return all;
  }

 private:
  BlockFormat format_;
  int out_;
  int in_;
  std::vector<std::byte> bytes_;
};

}  // namespace unmask::testing
