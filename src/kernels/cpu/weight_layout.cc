#include "kernels/cpu/weight_layout.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/cpu/table.h"

namespace unmask::cpu {

namespace {

constexpr int kPanel = 64;

void pack_bf16(const HostMatrix& weights, Range outputs, int depth, std::byte* panel) {
  std::vector<uint16_t> row(static_cast<size_t>(depth));
  for (int c = 0; c < outputs.size(); ++c) {
    weights.narrow_row(outputs.begin + c, row.data());
    for (int k = 0; k < depth; k += 2) {
      std::memcpy(panel + (int64_t{k} * kPanel + int64_t{c} * 2) * 2, &row[static_cast<size_t>(k)],
                  4);
    }
  }
}

/// The nearest integer, ties to even, of a |value| below 2^22; std::nearbyint would be a call.
int nearest(float value) {
  constexpr float kShift = 12582912;  // 1.5 * 2^23: no room for a fraction
  return static_cast<int>((value + kShift) - kShift);
}

float largest_of(const float* values, int n) {
  float largest = 0;
  for (int i = 0; i < n; ++i) largest = std::max(largest, std::abs(values[i]));
  return largest;
}

void pack_int8(const HostMatrix& weights, Range outputs, int depth, std::byte* panel) {
  auto* bytes = reinterpret_cast<uint8_t*>(panel);
  std::memset(bytes, kInt8Offset, static_cast<size_t>(depth) * kPanel);
  std::vector<float> row(static_cast<size_t>(depth));
  for (int c = 0; c < outputs.size(); ++c) {
    weights.widen_row(outputs.begin + c, row.data());
    const float largest = largest_of(row.data(), weights.in);
    const float inverse = largest > 0 ? 127 / largest : 0;
    const float scale = largest / 127;
    std::memcpy(bytes + static_cast<int64_t>(depth) * kPanel + int64_t{c} * 4, &scale,
                sizeof scale);
    for (int k = 0; k < depth; ++k) {
      bytes[int64_t{k / 4} * 4 * kPanel + c * 4 + k % 4] =
          static_cast<uint8_t>(nearest(row[static_cast<size_t>(k)] * inverse) + kInt8Offset);
    }
  }
}

/// `value` in steps of a scale, as far as 4 bits reach.
float in_steps(float value, float inverse) { return std::clamp(value * inverse, -8.0F, 7.0F); }

float inverse_of(uint16_t scale) {
  const float value = f16_to_f32(scale);
  return value == 0 ? 0 : 1 / value;
}

/// The scale of a group that leaves the smallest sum of squared errors, of those that make the
/// weight of largest magnitude 6 to 9 steps long, on either side of zero: beyond the end of the
/// range (-8 to 7) it is cut, for the sake of the others.
uint16_t group_scale(const float* group) {
  const float largest = *std::max_element(
      group, group + kBlockGroup, [](float a, float b) { return std::abs(a) < std::abs(b); });
  uint16_t best = 0;
  float least = std::numeric_limits<float>::infinity();
  for (const float steps : {-8.0F, -7.5F, -8.5F, -7.0F, -9.0F, 7.0F, 7.5F, 6.5F, 6.0F}) {
    const uint16_t scale = f32_to_f16(largest / steps);
    const float value = f16_to_f32(scale);
    const float inverse = inverse_of(scale);
    float error = 0;
    for (int k = 0; k < kBlockGroup; ++k) {
      const auto rounded = static_cast<float>(nearest(in_steps(group[k], inverse)));
      error += (group[k] - rounded * value) * (group[k] - rounded * value);
    }
    if (error < least) {
      least = error;
      best = scale;
    }
  }
  return best;
}

/// The layout of Q4_0, whose scales are chosen here.
constexpr const BlockLayout& kInt4Blocks = kBlockLayouts[static_cast<int>(BlockFormat::q4_0)];

void pack_int4(const HostMatrix& weights, Range outputs, int depth, std::byte* panel) {
  std::vector<float> row(static_cast<size_t>(depth));
  auto* block = reinterpret_cast<uint8_t*>(panel);
  for (int c = 0; c < outputs.size(); ++c) {
    weights.widen_row(outputs.begin + c, row.data());
    for (int g = 0; g < depth / kBlockGroup; ++g) {
      const float* values = row.data() + int64_t{g} * kBlockGroup;
      uint8_t* group = block + int64_t{g} * kInt4Blocks.group_bytes();
      const uint16_t scale = group_scale(values);
      std::memcpy(group + kInt4Blocks.code_bytes() + int64_t{c} * 2, &scale, sizeof scale);
      const float inverse = inverse_of(scale);
      for (int k = 0; k < kBlockGroup; ++k) {
        const int bits = nearest(in_steps(values[k], inverse)) + kInt4Blocks.offset;
        group[(k / 8 * kBlockColumns + c) * 4 + k % 4] |=
            static_cast<uint8_t>(k % 8 < 4 ? bits : bits << 4);
      }
    }
  }
}

}  // namespace

const WeightLayout kBf16Layout{
    .panel_columns = kPanel,
    .depth_step = 2,
    .panel_bytes = [](int depth) { return static_cast<size_t>(depth) * kPanel * 2; },
    .pack = pack_bf16,
};

const WeightLayout kInt8Layout{
    .panel_columns = kPanel,
    .depth_step = 4,
    .panel_bytes = [](int depth) { return (static_cast<size_t>(depth) + sizeof(float)) * kPanel; },
    .pack = pack_int8,
};

const WeightLayout kInt4Layout{
    .panel_columns = kBlockColumns,
    .depth_step = kBlockGroup,
    .panel_bytes = [](int depth) { return layout_of(BlockFormat::q4_0).panel_bytes(depth); },
    .pack = pack_int4,
};

}  // namespace unmask::cpu
