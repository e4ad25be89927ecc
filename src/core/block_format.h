// The block formats of GGUF files: weights in 2 to 8 bits, block by block with scales of their own.
//
// A block is taken apart into unsigned codes and the numbers that scale them. With g = i / group,
// value i of a block is
//
//     (d * scales[g]) * (levels[codes[i]] or codes[i] - offset) - m * mins[g]
//
// in float32, every operation rounded. The layouts are those of ggml, which other engines write.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace unmask {

enum class BlockFormat : uint8_t {
  q8_0,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  iq4_nl,
  iq4_xs,
  mxfp4
};
inline constexpr int kBlockFormats = 13;

inline constexpr int kMostBlockElements = 256;

/// One block taken apart.
struct BlockParts {
  std::array<uint8_t, kMostBlockElements> codes;
  std::array<int8_t, 16> scales;  // 1 where a block has but one scale
  std::array<uint8_t, 16> mins;
  uint16_t d;  // float16; of MXFP4 an exponent, see e8m0_to_f32()
  uint16_t m;  // float16
};

/// What is known of a format.
struct BlockTraits {
  std::string_view name;  // as files and other programs call it, e.g. "Q4_K"
  int elements;           // of a block
  int bytes;              // of a block
  int group;              // elements that share a scale
  int offset;             // what made codes unsigned
  const int8_t* levels;   // what the 16 codes stand for; null: for themselves, less the offset
  bool has_mins;
  void (*take_apart)(const std::byte* block, BlockParts& parts);
};

const BlockTraits& block_traits(BlockFormat format);

/// The format of that name, e.g. "Q4_K".
std::optional<BlockFormat> find_block_format(std::string_view name);

/// Bytes of `n` values, a multiple of the elements of a block.
size_t block_bytes(BlockFormat format, size_t n);

/// 2^(exponent - 128): the scale of an MXFP4 block, whose levels are doubled to be whole numbers.
float e8m0_to_f32(uint16_t exponent);

/// The value of `n` elements, a multiple of the elements of a block; `blocks` may be unaligned.
void dequantize(BlockFormat format, const std::byte* blocks, size_t n, float* out);

}  // namespace unmask
