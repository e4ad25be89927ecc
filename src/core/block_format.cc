// Compiled without fused multiply-add (CMakeLists.txt of src): a min is subtracted from a rounded
// product.
#include "core/block_format.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/block_levels.h"
#include "core/dtype.h"
#include "core/error.h"

namespace unmask {

namespace {

template <typename T>
T read(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

uint8_t byte_at(const std::byte* from, int i) { return static_cast<uint8_t>(from[i]); }

// Codes are moved eight at a time, a byte each. The first one is the lowest byte of a word.

constexpr uint64_t kEach = 0x0101010101010101;  // times a byte: eight of it

/// Of each of eight bytes the bits of `mask`, after a shift by less than 8.
uint64_t bits_of(const std::byte* from, int shift, uint64_t mask) {
  return read<uint64_t>(from) >> shift & mask * kEach;
}

void put(uint64_t eight, uint8_t* codes) { std::memcpy(codes, &eight, sizeof eight); }

/// Adds upper bits to codes that have none.
void put_upper(uint64_t eight, uint8_t* codes) {
  uint64_t lower;
  std::memcpy(&lower, codes, sizeof lower);
  put(lower | eight, codes);
}

/// 2 * n codes: the lower halves of n bytes, then the upper ones.
void split_nibbles(const std::byte* from, int n, uint8_t* codes) {
  for (int i = 0; i < n; i += 8) {
    put(bits_of(from + i, 0, 15), codes + i);
    put(bits_of(from + i, 4, 15), codes + i + n);
  }
}

void one_scale(BlockParts& parts, uint16_t d, uint16_t m = 0) {
  parts.scales[0] = 1;
  parts.mins[0] = 1;
  parts.d = d;
  parts.m = m;
}

void q8_0(const std::byte* b, BlockParts& parts) {
  one_scale(parts, read<uint16_t>(b));
  for (int i = 0; i < 32; i += 8) {
    put(read<uint64_t>(b + 2 + i) ^ 0x80 * kEach, parts.codes.data() + i);
  }
}

/// What is added to a scaled code is a min of opposite sign.
uint16_t negated(uint16_t half) { return half ^ 0x8000; }

void q4_0(const std::byte* b, BlockParts& parts) {
  one_scale(parts, read<uint16_t>(b));
  split_nibbles(b + 2, 16, parts.codes.data());
}

void q4_1(const std::byte* b, BlockParts& parts) {
  one_scale(parts, read<uint16_t>(b), negated(read<uint16_t>(b + 2)));
  split_nibbles(b + 4, 16, parts.codes.data());
}

/// 32 codes of 5 bits: a word of upper bits, then the lower halves.
void split_fives(const std::byte* from, uint8_t* codes) {
  split_nibbles(from + 4, 16, codes);
  for (int i = 0; i < 4; ++i) {
    // Byte j keeps bit j, and what is not zero becomes 1.
    const uint64_t bits = byte_at(from, i) * kEach & 0x8040201008040201;
    put_upper(((bits + 0x7f * kEach) >> 7 & kEach) << 4, codes + 8 * i);
  }
}

void q5_0(const std::byte* b, BlockParts& parts) {
  one_scale(parts, read<uint16_t>(b));
  split_fives(b + 2, parts.codes.data());
}

void q5_1(const std::byte* b, BlockParts& parts) {
  one_scale(parts, read<uint16_t>(b), negated(read<uint16_t>(b + 2)));
  split_fives(b + 4, parts.codes.data());
}

/// 256 codes of 2 bits: each half of 32 bytes holds four runs of 32, two bits a byte.
void split_pairs(const std::byte* from, uint8_t* codes) {
  for (int half = 0; half < 2; ++half) {
    for (int j = 0; j < 4; ++j) {
      uint8_t* to = codes + 128 * half + 32 * j;
      for (int i = 0; i < 32; i += 8) put(bits_of(from + 32 * half + i, 2 * j, 3), to + i);
    }
  }
}

void q2_k(const std::byte* b, BlockParts& parts) {
  for (int g = 0; g < 16; ++g) {
    parts.scales[static_cast<size_t>(g)] = static_cast<int8_t>(byte_at(b, g) & 15);
    parts.mins[static_cast<size_t>(g)] = byte_at(b, g) >> 4;
  }
  split_pairs(b + 16, parts.codes.data());
  parts.d = read<uint16_t>(b + 80);
  parts.m = read<uint16_t>(b + 82);
}

void q3_k(const std::byte* b, BlockParts& parts) {
  const std::byte* s = b + 96;
  for (int g = 0; g < 16; ++g) {
    const int low = byte_at(s, g % 8) >> (g < 8 ? 0 : 4) & 15;
    const int high = byte_at(s, 8 + g % 4) >> (2 * (g / 4)) & 3;
    parts.scales[static_cast<size_t>(g)] = static_cast<int8_t>((low | high << 4) - 32);
  }
  split_pairs(b + 32, parts.codes.data());
  for (int run = 0; run < 8; ++run) {  // the third bits: one a run
    uint8_t* codes = parts.codes.data() + 32 * run;
    for (int i = 0; i < 32; i += 8) put_upper(bits_of(b + i, run, 1) << 2, codes + i);
  }
  parts.d = read<uint16_t>(b + 108);
}

/// Eight scales and mins of 6 bits in 12 bytes.
void split_sixes(const std::byte* s, BlockParts& parts) {
  for (int g = 0; g < 4; ++g) {
    const auto i = static_cast<size_t>(g);
    const int scale = byte_at(s, g);
    const int min = byte_at(s, g + 4);
    const int both = byte_at(s, g + 8);
    parts.scales[i] = static_cast<int8_t>(scale & 63);
    parts.mins[i] = static_cast<uint8_t>(min & 63);
    parts.scales[i + 4] = static_cast<int8_t>((both & 15) | (scale >> 6) << 4);
    parts.mins[i + 4] = static_cast<uint8_t>(both >> 4 | (min >> 6) << 4);
  }
}

void q4_k(const std::byte* b, BlockParts& parts) {
  parts.d = read<uint16_t>(b);
  parts.m = read<uint16_t>(b + 2);
  split_sixes(b + 4, parts);
  for (int j = 0; j < 4; ++j) split_nibbles(b + 16 + 32 * j, 32, parts.codes.data() + 64 * j);
}

void q5_k(const std::byte* b, BlockParts& parts) {
  parts.d = read<uint16_t>(b);
  parts.m = read<uint16_t>(b + 2);
  split_sixes(b + 4, parts);
  for (int j = 0; j < 4; ++j) split_nibbles(b + 48 + 32 * j, 32, parts.codes.data() + 64 * j);
  for (int g = 0; g < 8; ++g) {
    uint8_t* codes = parts.codes.data() + 32 * g;
    for (int i = 0; i < 32; i += 8) put_upper(bits_of(b + 16 + i, g, 1) << 4, codes + i);
  }
}

void q6_k(const std::byte* b, BlockParts& parts) {
  for (int half = 0; half < 2; ++half) {
    const std::byte* low = b + 64 * half;
    const std::byte* high = b + 128 + 32 * half;
    for (int p = 0; p < 4; ++p) {
      uint8_t* codes = parts.codes.data() + 128 * half + 32 * p;
      for (int i = 0; i < 32; i += 8) {
        const uint64_t lower = bits_of(low + 32 * (p % 2) + i, p < 2 ? 0 : 4, 15);
        put(lower | bits_of(high + i, 2 * p, 3) << 4, codes + i);
      }
    }
  }
  std::memcpy(parts.scales.data(), b + 192, 16);
  parts.d = read<uint16_t>(b + 208);
}

void iq4_xs(const std::byte* b, BlockParts& parts) {
  parts.d = read<uint16_t>(b);
  const int high = read<uint16_t>(b + 2);
  for (int g = 0; g < 8; ++g) {
    const int low = byte_at(b + 4, g / 2) >> (4 * (g % 2)) & 15;
    parts.scales[static_cast<size_t>(g)] =
        static_cast<int8_t>((low | (high >> (2 * g) & 3) << 4) - 32);
    split_nibbles(b + 8 + 16 * g, 16, parts.codes.data() + 32 * g);
  }
}

void mxfp4(const std::byte* b, BlockParts& parts) {
  one_scale(parts, byte_at(b, 0));
  split_nibbles(b + 1, 16, parts.codes.data());
}

constexpr BlockTraits kTraits[] = {
    {"Q8_0", 32, 34, 32, 128, nullptr, false, q8_0},
    {"Q4_0", 32, 18, 32, 8, nullptr, false, q4_0},
    {"Q4_1", 32, 20, 32, 0, nullptr, true, q4_1},
    {"Q5_0", 32, 22, 32, 16, nullptr, false, q5_0},
    {"Q5_1", 32, 24, 32, 0, nullptr, true, q5_1},
    {"Q2_K", 256, 84, 16, 0, nullptr, true, q2_k},
    {"Q3_K", 256, 110, 16, 4, nullptr, false, q3_k},
    {"Q4_K", 256, 144, 32, 0, nullptr, true, q4_k},
    {"Q5_K", 256, 176, 32, 0, nullptr, true, q5_k},
    {"Q6_K", 256, 210, 16, 32, nullptr, false, q6_k},
    {"IQ4_NL", 32, 18, 32, 0, kIq4Levels, false, q4_0},
    {"IQ4_XS", 256, 136, 32, 0, kIq4Levels, false, iq4_xs},
    {"MXFP4", 32, 17, 32, 0, kMxfp4Levels, false, mxfp4},
};
static_assert(std::size(kTraits) == kBlockFormats);

}  // namespace

const BlockTraits& block_traits(BlockFormat format) { return kTraits[static_cast<size_t>(format)]; }

std::optional<BlockFormat> find_block_format(std::string_view name) {
  for (size_t i = 0; i < std::size(kTraits); ++i) {
    if (kTraits[i].name == name) return static_cast<BlockFormat>(i);
  }
  return std::nullopt;
}

size_t block_bytes(BlockFormat format, size_t n) {
  const BlockTraits& traits = block_traits(format);
  UNMASK_CHECK(n % static_cast<size_t>(traits.elements) == 0, "part of a block");
  return n / static_cast<size_t>(traits.elements) * static_cast<size_t>(traits.bytes);
}

float e8m0_to_f32(uint16_t exponent) {
  // The least two are subnormal.
  const uint32_t bits = exponent < 2 ? 0x00200000U << exponent : (exponent - 1U) << 23;
  return std::bit_cast<float>(bits);
}

void dequantize(BlockFormat format, const std::byte* blocks, size_t n, float* out) {
  const BlockTraits& traits = block_traits(format);
  const std::byte* end = blocks + block_bytes(format, n);
  BlockParts parts;
  for (; blocks != end; blocks += traits.bytes) {
    traits.take_apart(blocks, parts);
    const float d = format == BlockFormat::mxfp4 ? e8m0_to_f32(parts.d) : f16_to_f32(parts.d);
    const float m = traits.has_mins ? f16_to_f32(parts.m) : 0;
    for (int begin = 0; begin < traits.elements; begin += traits.group) {
      const auto g = static_cast<size_t>(begin / traits.group);
      const float scale = d * static_cast<float>(parts.scales[g]);
      const float min = traits.has_mins ? m * static_cast<float>(parts.mins[g]) : 0;
      const uint8_t* codes = parts.codes.data() + begin;
      for (int i = 0; i < traits.group; ++i) {
        const int level =
            traits.levels != nullptr ? traits.levels[codes[i]] : int{codes[i]} - traits.offset;
        *out++ = scale * static_cast<float>(level) - min;
      }
    }
  }
}

}  // namespace unmask
