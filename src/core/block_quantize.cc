#include "core/block_quantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/dtype.h"
#include "core/error.h"

namespace unmask {

namespace {

constexpr size_t kElements = 32;  // of a block of either format

/// The value of the largest magnitude, with its sign.
float largest(const float* values) {
  return *std::max_element(values, values + kElements,
                           [](float a, float b) { return std::abs(a) < std::abs(b); });
}

/// Stores the scale and returns one over what was stored; 0 for a block of zeros.
float put_scale(float scale, std::byte* block) {
  const uint16_t half = f32_to_f16(scale);
  std::memcpy(block, &half, sizeof half);
  const float stored = f16_to_f32(half);
  return stored == 0 ? 0 : 1 / stored;
}

int code(float value, float inverse, int least, int most) {
  return std::clamp(static_cast<int>(std::lround(value * inverse)), least, most);
}

void q8_0(const float* values, std::byte* block) {
  const float inverse = put_scale(std::abs(largest(values)) / 127, block);
  for (size_t i = 0; i < kElements; ++i) {
    block[2 + i] = static_cast<std::byte>(code(values[i], inverse, -127, 127));
  }
}

void q4_0(const float* values, std::byte* block) {
  const float inverse = put_scale(largest(values) / -8, block);
  for (size_t i = 0; i < kElements / 2; ++i) {
    const int low = code(values[i], inverse, -8, 7) + 8;
    const int high = code(values[i + kElements / 2], inverse, -8, 7) + 8;
    block[2 + i] = static_cast<std::byte>(low | high << 4);
  }
}

}  // namespace

bool can_quantize(BlockFormat format) {
  return format == BlockFormat::q8_0 || format == BlockFormat::q4_0;
}

void quantize(BlockFormat format, const float* values, size_t n, std::byte* blocks) {
  UNMASK_CHECK(can_quantize(format), "only Q8_0 and Q4_0 are made");
  const std::byte* end = blocks + block_bytes(format, n);
  const auto put = format == BlockFormat::q8_0 ? q8_0 : q4_0;
  for (; blocks != end; blocks += block_traits(format).bytes, values += kElements) {
    put(values, blocks);
  }
}

}  // namespace unmask
