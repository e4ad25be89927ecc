// The layouts of packed blocks (core/block_format.h), which keep the codes, scales and mins of the
// file: panels of 32 columns, of which the depth runs in groups of 32 and super-blocks of 256.
//
// A super-block begins, where scales are whole numbers, with
//
//     scales  int8 [256 / group][32]
//     mins    uint8 [128 / group][32][2], pairs of groups beside each other
//     d, m    [32] float16, which multiply them
//
// and holds its groups (the last one of a panel may have fewer), each with
//
//     codes   bytes [8][32][4]: quads of depth by column; or their lower halves [4][32][4], the
//     even
//             quads in the low half of a byte and the odd ones in the high half, and then
//             fives: the fifth bits [32][4], bit q of quad q
//             sixes: two more bits [2][32][4], of four quads each
//     scales  [32] float16 or float32, where a group has its own
//     mins    [32] float16, the same
//
// A weight is scale * (code - offset) - min. Everything begins at a multiple of 64 bytes and is
// read in about that order: a processor that reads ahead knows one stream.
#pragma once

#include <stdint.h>  // not <cstdint>: see table.h

#include "core/block_levels.h"

namespace unmask::cpu {

enum class Codes { bytes, nibbles, fives, sixes, iq4, mxfp4 };  // the last two: nibbles of a table
enum class Scales { f16, f32, int8 };
enum class Mins { none, f16, uint8 };

inline constexpr int kBlockColumns = 32;
inline constexpr int kBlockGroup = 32;
inline constexpr int kSuperBlock = 256;
inline constexpr int kSuperGroups = kSuperBlock / kBlockGroup;

struct BlockLayout {
  Codes codes;
  int group;  // of depth that share a scale: 32 or 16
  Scales scales;
  Mins mins;
  int offset;

  constexpr int code_bytes() const {
    const int nibbles = kBlockColumns * kBlockGroup / 2;
    switch (codes) {
      case Codes::bytes: return 2 * nibbles;
      case Codes::fives: return nibbles + nibbles / 4;
      case Codes::sixes: return nibbles + nibbles / 2;
      default: return nibbles;
    }
  }
  constexpr int scale_bytes() const {
    return kBlockColumns * (scales == Scales::f16 ? 2 : scales == Scales::f32 ? 4 : 0);
  }
  constexpr int group_bytes() const {
    return code_bytes() + scale_bytes() + (mins == Mins::f16 ? 2 * kBlockColumns : 0);
  }
  /// What comes before the groups of a super-block: their scales, mins, d and m.
  constexpr int head_bytes() const {
    return scales == Scales::int8 ? (numbers() + 2 * kBlockColumns) * (mins == Mins::none ? 1 : 2)
                                  : 0;
  }
  /// Bytes of the scales in the head, or of the mins.
  constexpr int numbers() const { return kSuperBlock / group * kBlockColumns; }
  constexpr int super_bytes() const { return kSuperGroups * group_bytes() + head_bytes(); }
};

/// By BlockFormat.
inline constexpr BlockLayout kBlockLayouts[] = {
    {Codes::bytes, 32, Scales::f16, Mins::none, 128},    // Q8_0
    {Codes::nibbles, 32, Scales::f16, Mins::none, 8},    // Q4_0, and WeightType::int4
    {Codes::nibbles, 32, Scales::f16, Mins::f16, 0},     // Q4_1
    {Codes::fives, 32, Scales::f16, Mins::none, 16},     // Q5_0
    {Codes::fives, 32, Scales::f16, Mins::f16, 0},       // Q5_1
    {Codes::nibbles, 16, Scales::int8, Mins::uint8, 0},  // Q2_K
    {Codes::nibbles, 16, Scales::int8, Mins::none, 4},   // Q3_K
    {Codes::nibbles, 32, Scales::int8, Mins::uint8, 0},  // Q4_K
    {Codes::fives, 32, Scales::int8, Mins::uint8, 0},    // Q5_K
    {Codes::sixes, 16, Scales::int8, Mins::none, 32},    // Q6_K
    {Codes::iq4, 32, Scales::f16, Mins::none, 128},      // IQ4_NL
    {Codes::iq4, 32, Scales::int8, Mins::none, 128},     // IQ4_XS
    {Codes::mxfp4, 32, Scales::f32, Mins::none, 12},     // MXFP4
};
inline constexpr int kLayouts = sizeof kBlockLayouts / sizeof kBlockLayouts[0];

/// What codes stand for; null: for themselves.
constexpr const int8_t* levels_of(Codes codes) {
  return codes == Codes::iq4 ? kIq4Levels : codes == Codes::mxfp4 ? kMxfp4Levels : nullptr;
}

/// The largest weight that products meet: a code, or what it stands for with the offset.
constexpr int largest_code(const BlockLayout& layout) {
  const int8_t* levels = levels_of(layout.codes);
  if (levels != nullptr) {
    int largest = 0;
    for (int i = 0; i < 16; ++i) largest = levels[i] > largest ? levels[i] : largest;
    return largest + layout.offset;
  }
  switch (layout.codes) {
    case Codes::bytes: return 255;
    case Codes::fives: return 31;
    case Codes::sixes: return 63;
    default: return 15;
  }
}

/// What 256 inputs carry beside their int8 values: sums of them, for offsets and mins.
struct InputBlock {
  int16_t sums16[kSuperBlock / 16];  // by 16s
  int16_t sums32[kSuperBlock / 32];
  float scale;
};

}  // namespace unmask::cpu
