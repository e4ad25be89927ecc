// Element types of weights and activations, and exact conversions between the 16-bit floats and
// float32.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace unmask {

using TokenId = int32_t;

enum class DType : uint8_t { f32, f16, bf16, i64, i32, u8 };

std::string_view dtype_name(DType dtype);

constexpr size_t dtype_bytes(DType dtype) {
  switch (dtype) {
    case DType::i64: return 8;
    case DType::f32:
    case DType::i32: return 4;
    case DType::f16:
    case DType::bf16: return 2;
    case DType::u8: return 1;
  }
  return 0;
}

/// bfloat16 is the upper half of a float32.
constexpr float bf16_to_f32(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

/// Rounds to nearest, ties to even; NaN stays NaN.
constexpr uint16_t f32_to_bf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffU) > 0x7f800000U) return static_cast<uint16_t>((bits >> 16) | 0x40U);
  return static_cast<uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

/// IEEE half precision, subnormals included.
float f16_to_f32(uint16_t bits);

/// Rounds to nearest, ties to even; too large becomes infinite, NaN stays NaN.
uint16_t f32_to_f16(float value);

/// Converts `count` elements of `dtype` (f32, f16 or bf16) to float32.
void to_f32(const void* from, DType dtype, size_t count, float* to);

/// Converts `count` elements of `dtype` (f32, f16 or bf16) to bfloat16, rounding to nearest even.
void to_bf16(const void* from, DType dtype, size_t count, uint16_t* to);

}  // namespace unmask
