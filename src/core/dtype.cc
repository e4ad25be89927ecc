#include "core/dtype.h"

#include <cmath>
#include <cstring>

#include "core/error.h"

namespace unmask {

std::string_view dtype_name(DType dtype) {
  switch (dtype) {
    case DType::f32: return "float32";
    case DType::f16: return "float16";
    case DType::bf16: return "bfloat16";
    case DType::i64: return "int64";
    case DType::i32: return "int32";
    case DType::u8: return "uint8";
  }
  return "unknown";
}

float f16_to_f32(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000U) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1fU;
  const uint32_t mantissa = bits & 0x3ffU;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000U | (mantissa << 13));
  if (exponent != 0)
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;  // subnormal: mantissa / 2^24
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
}

uint16_t f32_to_f16(float value) {
  const auto all = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (all >> 16) & 0x8000U;
  const uint32_t bits = all & 0x7fffffffU;
  if (bits > 0x7f800000U) return static_cast<uint16_t>(sign | 0x7e00U);
  if (bits >= 0x477ff000U) return static_cast<uint16_t>(sign | 0x7c00U);  // 65520: rounds beyond
  if (bits < 0x38800000U) {                                               // 2^-14: subnormal
    const float units = std::bit_cast<float>(bits) * 0x1p24F;
    return static_cast<uint16_t>(sign | static_cast<uint32_t>(std::nearbyint(units)));
  }
  const uint32_t rounded = bits + 0xfffU + ((bits >> 13) & 1U);
  return static_cast<uint16_t>(sign | ((rounded >> 13) - (112U << 10)));
}

void to_f32(const void* from, DType dtype, size_t count, float* to) {
  if (dtype == DType::f32) {
    std::memcpy(to, from, count * sizeof(float));
    return;
  }
  UNMASK_CHECK(dtype == DType::f16 || dtype == DType::bf16, "only floating-point types convert");
  const auto* bytes = static_cast<const std::byte*>(from);
  for (size_t i = 0; i < count; ++i) {
    uint16_t bits;  // files do not promise alignment
    std::memcpy(&bits, bytes + 2 * i, sizeof bits);
    to[i] = dtype == DType::bf16 ? bf16_to_f32(bits) : f16_to_f32(bits);
  }
}

void to_bf16(const void* from, DType dtype, size_t count, uint16_t* to) {
  if (dtype == DType::bf16) {
    std::memcpy(to, from, count * sizeof(uint16_t));
    return;
  }
  UNMASK_CHECK(dtype == DType::f32 || dtype == DType::f16, "only floating-point types convert");
  const auto* bytes = static_cast<const std::byte*>(from);
  for (size_t i = 0; i < count; ++i) {
    float value;
    to_f32(bytes + dtype_bytes(dtype) * i, dtype, 1, &value);
    to[i] = f32_to_bf16(value);
  }
}

}  // namespace unmask
