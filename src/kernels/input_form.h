// What the rows that go into products become before they are multiplied, and what of them travels
// between ranks that have their columns in parts.
#pragma once

#include "kernels/weight_type.h"
#include "ranks/columns.h"

namespace unmask {

enum class InputForm : uint8_t {
  plain,  // as they are
  bf16,
  int8,   // with a scale a row
  blocks  // int8 with a scale by 256 columns
};

inline constexpr int kInputBlock = 256;  // columns

/// Of products with weights of a type; of `stored` those that come in blocks.
constexpr InputForm input_form(WeightType weights, bool bf16_inputs) {
  switch (weights) {
    case WeightType::f32: return InputForm::plain;
    case WeightType::bf16: return bf16_inputs ? InputForm::bf16 : InputForm::plain;
    case WeightType::int8: return InputForm::int8;
    default: return InputForm::blocks;
  }
}

/// The columns that share a scale, of a form of whole numbers.
inline CutGroups scale_groups(InputForm form, const Cut& columns) {
  return {columns, form == InputForm::int8 ? columns.total() : kInputBlock};
}

/// What all ranks together give for a row of `type` in a form.
struct InputExchange {
  int64_t row_bytes = 0;
  int gathers = 1;
};
inline InputExchange input_exchange(InputForm form, const Cut& columns, DType type) {
  const int64_t n = columns.total();
  if (form == InputForm::plain) return {n * static_cast<int64_t>(dtype_bytes(type))};
  if (form == InputForm::bf16) return {n * 2};
  const CutGroups groups = scale_groups(form, columns);
  return {n + groups.pieces().total() * int64_t{sizeof(float)}, groups.are_whole() ? 1 : 2};
}

}  // namespace unmask
