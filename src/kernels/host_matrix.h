// Weights as files hold them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/block_format.h"
#include "core/dtype.h"
#include "kernels/weight_type.h"

namespace unmask {

/// A matrix [out, in] by rows, possibly unaligned, in host memory.
struct HostMatrix {
  const void* data = nullptr;
  DType dtype = DType::f32;  // of the elements; means nothing where they come in blocks
  int out = 0;
  int in = 0;
  int64_t stride = 0;                   // elements from row to row; 0: they lie close together
  std::optional<WeightType> format{};   // in which a backend keeps it; none: as it keeps others
  std::optional<BlockFormat> blocks{};  // rows of whole blocks; `in` and `stride` fit them
  /// Where not 0, rows come in heads of so many, the two halves of a head taking turns: row q *
  /// interleaved / 2 + i of a head is its stored row 2 * i + q.
  int interleaved = 0;

  /// Not rows but panels (kernels/panels.h), those of `format` or else of `blocks`, which only a
  /// backend that takes_panels() can read.
  bool in_panels = false;

  bool operator==(const HostMatrix&) const = default;
  bool is_dense() const { return stride == 0 || stride == in; }
  /// The stored bytes are the matrix, row after row, in `type`.
  bool is_plain(DType type) const {
    return !blocks && !in_panels && dtype == type && interleaved == 0 && is_dense();
  }
  /// Where row `r` of a matrix in rows is stored.
  const std::byte* row(int r) const;
  /// Copies row `r` as float32.
  void widen_row(int r, float* to) const;
  /// Copies row `r` as bfloat16, rounded to nearest even.
  void narrow_row(int r, uint16_t* to) const;
};

}  // namespace unmask
