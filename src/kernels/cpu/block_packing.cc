// Packing of blocks: codes, scales and mins move from the rows of a file into panels, nothing is
// rounded. And of int4, which becomes blocks here.
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "kernels/cpu/block_layout.h"
#include "kernels/cpu/weight_layout.h"
#include "kernels/create_backend.h"

namespace unmask {

namespace cpu {

namespace {

static_assert(kLayouts == kBlockFormats);

uint32_t read4(const uint8_t* from) {
  uint32_t bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  return bytes;
}

/// One column's codes of a group: 32 of them, into rows of quads [32][4].
template <Codes kCodes>
void put_codes(const uint8_t* codes, int column, uint8_t* group) {
  const auto put = [&](int row, uint32_t quad) {
    std::memcpy(group + (row * kBlockColumns + column) * 4, &quad, sizeof quad);
  };
  constexpr uint32_t kHalf = 0x0f0f0f0f;
  if constexpr (kCodes == Codes::bytes) {
    for (int q = 0; q < 8; ++q) put(q, read4(codes + 4 * q));
    return;
  }
  for (int pair = 0; pair < 4; ++pair) {
    const uint32_t even = read4(codes + 8 * pair);
    const uint32_t odd = read4(codes + 8 * pair + 4);
    put(pair, (even & kHalf) | (odd & kHalf) << 4);
  }
  if constexpr (kCodes == Codes::fives) {
    uint32_t upper = 0;
    for (int q = 0; q < 8; ++q) upper |= (read4(codes + 4 * q) >> 4 & 0x01010101) << q;
    put(4, upper);
  }
  if constexpr (kCodes == Codes::sixes) {
    for (int half = 0; half < 2; ++half) {
      uint32_t upper = 0;
      for (int q = 0; q < 4; ++q) {
        upper |= (read4(codes + 16 * half + 4 * q) >> 4 & 0x03030303) << (2 * q);
      }
      put(4 + half, upper);
    }
  }
}

void put_half(uint16_t half, int column, uint8_t* halves) {
  std::memcpy(halves + 2 * column, &half, sizeof half);
}

/// The scale, and min, of a group that has its own.
template <BlockLayout kLayout>
void put_own_scales(const BlockParts& parts, int column, uint8_t* group) {
  uint8_t* scales = group + kLayout.code_bytes();
  if constexpr (kLayout.scales == Scales::f32) {
    const float scale = e8m0_to_f32(parts.d);
    std::memcpy(scales + 4 * column, &scale, sizeof scale);
  } else {
    put_half(parts.d, column, scales);
  }
  if constexpr (kLayout.mins == Mins::f16)
    put_half(parts.m, column, scales + kLayout.scale_bytes());
}

/// The whole scales and mins of a super-block, and what multiplies them.
template <BlockLayout kLayout>
void put_head(const BlockParts& parts, int column, uint8_t* head) {
  constexpr int kScales = kSuperBlock / kLayout.group;
  for (int g = 0; g < kScales; ++g) {
    head[g * kBlockColumns + column] = static_cast<uint8_t>(parts.scales[static_cast<size_t>(g)]);
  }
  uint8_t* halves = head + kLayout.numbers();
  if constexpr (kLayout.mins == Mins::uint8) {
    for (int pair = 0; pair < kScales / 2; ++pair) {
      std::memcpy(halves + (pair * kBlockColumns + column) * 2, &parts.mins[size_t{2} * pair], 2);
    }
    halves += kLayout.numbers();
    put_half(parts.m, column, halves + 2 * kBlockColumns);
  }
  put_half(parts.d, column, halves);
}

/// One column of a super-block of `groups` groups.
template <BlockLayout kLayout>
void put_column(const BlockTraits& traits, const std::byte* blocks, int groups, int column,
                uint8_t* super) {
  BlockParts parts;
  uint8_t* group = super + kLayout.head_bytes();
  for (int g = 0; g < groups; ++g, group += kLayout.group_bytes()) {
    const int first = g * kBlockGroup;
    const int in_block = first % traits.elements;
    if (in_block == 0) traits.take_apart(blocks + first / traits.elements * traits.bytes, parts);
    put_codes<kLayout.codes>(parts.codes.data() + in_block, column, group);
    if constexpr (kLayout.scales != Scales::int8) put_own_scales<kLayout>(parts, column, group);
  }
  if constexpr (kLayout.scales == Scales::int8) put_head<kLayout>(parts, column, super);
}

/// WeightLayout::pack of a matrix in blocks of that format.
template <size_t kFormat>
void pack_blocks(const HostMatrix& weights, Range outputs, int depth, const KernelTable& /*table*/,
                 std::byte* panel) {
  constexpr BlockLayout kLayout = kBlockLayouts[kFormat];
  const BlockTraits& traits = block_traits(static_cast<BlockFormat>(kFormat));
  std::array<const std::byte*, kBlockColumns> rows{};
  for (int c = 0; c < outputs.size(); ++c) {
    rows[static_cast<size_t>(c)] = weights.row(outputs.begin + c);
  }
  auto* super = reinterpret_cast<uint8_t*>(panel);
  for (int begin = 0; begin < depth; begin += kSuperBlock, super += kLayout.super_bytes()) {
    const int groups = std::min(kSuperGroups, (depth - begin) / kBlockGroup);
    const int64_t at = int64_t{begin} / traits.elements * traits.bytes;
    for (int c = 0; c < outputs.size(); ++c) {
      put_column<kLayout>(traits, rows[static_cast<size_t>(c)] + at, groups, c, super);
    }
  }
}

template <size_t kFormat>
size_t panel_bytes(int depth) {
  constexpr BlockLayout kLayout = kBlockLayouts[kFormat];
  return static_cast<size_t>(depth / kBlockGroup) * kLayout.group_bytes() +
         static_cast<size_t>(depth / kSuperBlock) * kLayout.head_bytes();
}

template <size_t kFormat>
constexpr WeightLayout make_layout() {
  constexpr bool kWhole = kBlockLayouts[kFormat].scales == Scales::int8;  // super-blocks only
  return {.panel_columns = kBlockColumns,
          .depth_step = kWhole ? kSuperBlock : kBlockGroup,
          .panel_bytes = panel_bytes<kFormat>,
          .pack = pack_blocks<kFormat>};
}

template <size_t... kFormats>
constexpr std::array<WeightLayout, kLayouts> all_layouts(std::index_sequence<kFormats...>) {
  return {make_layout<kFormats>()...};
}

constexpr auto kAllLayouts = all_layouts(std::make_index_sequence<kLayouts>());

/// Rows of numbers into the layout of Q4_0, with scales that are chosen here.
void pack_int4(const HostMatrix& weights, Range outputs, int depth, const KernelTable& table,
               std::byte* panel) {
  constexpr BlockLayout kLayout = kBlockLayouts[static_cast<size_t>(BlockFormat::q4_0)];
  const int groups = depth / kBlockGroup;
  std::vector<float> row(static_cast<size_t>(depth));
  std::vector<uint8_t> codes(static_cast<size_t>(depth));
  std::vector<uint16_t> scales(static_cast<size_t>(groups));
  for (int c = 0; c < outputs.size(); ++c) {
    weights.widen_row(outputs.begin + c, row.data());
    table.quantize_groups(row.data(), groups, codes.data(), scales.data());
    auto* group = reinterpret_cast<uint8_t*>(panel);
    for (int g = 0; g < groups; ++g, group += kLayout.group_bytes()) {
      put_codes<Codes::nibbles>(codes.data() + int64_t{g} * kBlockGroup, c, group);
      put_half(scales[static_cast<size_t>(g)], c, group + kLayout.code_bytes());
    }
  }
}

}  // namespace

const WeightLayout kInt4Layout{
    .panel_columns = kBlockColumns,
    .depth_step = kBlockGroup,
    .panel_bytes = panel_bytes<static_cast<size_t>(BlockFormat::q4_0)>,
    .pack = pack_int4,
};

const WeightLayout& layout_of(BlockFormat format) {
  return kAllLayouts[static_cast<size_t>(format)];
}

}  // namespace cpu

WeightType exact_type(DType dtype) {
  return dtype == DType::bf16 ? WeightType::bf16 : WeightType::f32;
}

double stored_bits(const HostMatrix& weights) {
  if (!weights.blocks) return bits_per_weight(exact_type(weights.dtype));
  const size_t bytes = cpu::layout_of(*weights.blocks).panel_bytes(cpu::kSuperBlock);
  return 8.0 * static_cast<double>(bytes) / (cpu::kBlockColumns * cpu::kSuperBlock);
}

}  // namespace unmask
