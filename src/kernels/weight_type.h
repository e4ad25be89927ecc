// How weights are kept in memory.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/error.h"

namespace unmask {

enum class WeightType : uint8_t {
  f32,   // products of float32
  bf16,  // weights rounded to bfloat16, and inputs where the processor multiplies bfloat16
  int8,  // 8 bits: weights scaled by output, inputs by row
  int4,  // 4 bits: weights scaled by 32s, inputs 8 bits, scaled by 256s
  /// As the file has each matrix: blocks keep their codes and scales (inputs as for int4), bfloat16
  /// stays, and the other floats become float32.
  stored
};
inline constexpr int kAllWeightTypes = 5;
/// Those that mean the same for every file.
inline constexpr WeightType kWeightTypes[] = {WeightType::f32, WeightType::bf16, WeightType::int8,
                                              WeightType::int4};

/// The name that options and reports use.
constexpr std::string_view weight_type_name(WeightType type) {
  switch (type) {
    case WeightType::f32: return "f32";
    case WeightType::bf16: return "bf16";
    case WeightType::int8: return "int8";
    case WeightType::int4: return "int4";
    case WeightType::stored: return "stored";
  }
  return "unknown";
}

/// True for the types that round weights to less than bfloat16.
constexpr bool is_quantized(WeightType type) {
  return type == WeightType::int8 || type == WeightType::int4;
}

/// About what one weight takes, scales included. Of `stored`, which the file decides, see
/// stored_bits() in create_backend.h.
constexpr double bits_per_weight(WeightType type) {
  switch (type) {
    case WeightType::f32: return 32;
    case WeightType::bf16: return 16;
    case WeightType::int8: return 8;
    case WeightType::int4: return 4.5;
    case WeightType::stored: break;
  }
  throw LogicError("the file decides how large its weights are");
}

}  // namespace unmask
