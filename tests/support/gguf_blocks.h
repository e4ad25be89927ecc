// Random weights in every block format, made without a quantizer: any codes and scales are weights.
#pragma once

#include <array>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "core/block_format.h"
#include "core/dtype.h"

namespace unmask::testing {

/// A type as a GGUF file numbers it, and where the float16 scale and min of its blocks lie.
struct BlockType {
  BlockFormat format;
  uint32_t id;
  int d;
  int m;        // -1: there is none
  float ratio;  // of the min to the scale, so that values have a mean near 0
};
inline constexpr std::array<BlockType, kBlockFormats> kBlockTypes{{
    {BlockFormat::q8_0, 8, 0, -1, 0},
    {BlockFormat::q4_0, 2, 0, -1, 0},
    {BlockFormat::q4_1, 3, 0, 2, -7.5F},
    {BlockFormat::q5_0, 6, 0, -1, 0},
    {BlockFormat::q5_1, 7, 0, 2, -15.5F},
    {BlockFormat::q2_k, 10, 80, 82, 1.5F},
    {BlockFormat::q3_k, 11, 108, -1, 0},
    {BlockFormat::q4_k, 12, 0, 2, 7.5F},
    {BlockFormat::q5_k, 13, 0, 2, 15.5F},
    {BlockFormat::q6_k, 14, 208, -1, 0},
    {BlockFormat::iq4_nl, 20, 0, -1, 0},
    {BlockFormat::iq4_xs, 23, 0, -1, 0},
    {BlockFormat::mxfp4, 39, 0, -1, 0},
}};

inline std::vector<float> values_of_blocks(BlockFormat format, std::string_view bytes) {
  const BlockTraits& traits = block_traits(format);
  const size_t n =
      bytes.size() / static_cast<size_t>(traits.bytes) * static_cast<size_t>(traits.elements);
  std::vector<float> values(n);
  dequantize(format, reinterpret_cast<const std::byte*>(bytes.data()), n, values.data());
  return values;
}

/// `n` weights of about the standard deviation `spread`.
inline std::string random_blocks(std::mt19937& random, const BlockType& type, size_t n,
                                 float spread) {
  const auto size = static_cast<size_t>(block_traits(type.format).bytes);
  std::string bytes(block_bytes(type.format, n), '\0');
  for (char& c : bytes) c = static_cast<char>(random() & 0xff);
  const auto set = [&](size_t block, int at, float value) {
    const uint16_t half = f32_to_f16(value);
    std::memcpy(&bytes[block * size + static_cast<size_t>(at)], &half, sizeof half);
  };
  const auto scale_all = [&](float scale) {
    for (size_t b = 0; b < bytes.size() / size; ++b) {
      const float own = scale * (0.75F + static_cast<float>(random() % 512) / 1024);
      if (type.format == BlockFormat::mxfp4) {
        bytes[b * size] = static_cast<char>(static_cast<int>(128 + std::lround(std::log2(own))));
        continue;
      }
      set(b, type.d, own);
      if (type.m >= 0) set(b, type.m, type.ratio * own);
    }
  };
  scale_all(1);
  double squares = 0;
  for (const float v : values_of_blocks(type.format, bytes)) squares += static_cast<double>(v) * v;
  scale_all(spread / static_cast<float>(std::sqrt(squares / static_cast<double>(n))));
  return bytes;
}

}  // namespace unmask::testing
