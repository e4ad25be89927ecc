// Rows of activations as products take them: copied, rounded to bfloat16, or quantized.
#pragma once

#include "core/parallel.h"
#include "core/tensor.h"
#include "kernels/cpu/table.h"
#include "kernels/input_form.h"
#include "ranks/columns.h"

namespace unmask::cpu {

class InputRows {
 public:
  /// For products with weights of a type. `table` and `pool` outlive this.
  InputRows(WeightType weights, const KernelTable& table, ThreadPool& pool);

  InputForm form() const { return form_; }
  /// They lie here until the next call.
  PackedRows pack(Tensor x);
  /// The same of rows of which every rank has its columns, in another form than `plain`: all ranks
  /// call it and get the bits of pack() of the whole. What travels has that form.
  PackedRows gather(const CutColumns& x, ColumnGather& ranks);

 private:
  /// Memory for the values of rows; `bytes`: of one.
  struct Room {
    std::byte* values;
    int64_t stride;  // bytes
  };
  Room room(int rows, int64_t bytes);
  int padded(int columns) const;
  PackedRows copy(Tensor x);
  PackedRows narrow(Tensor x);
  PackedRows quantize(Tensor x);
  PackedRows quantize_blocks(Tensor x);
  PackedRows gather_narrow(const CutColumns& x, ColumnGather& ranks);
  PackedRows gather_quantized(const CutColumns& x, ColumnGather& ranks);
  /// What whole rows of int8 carry beside their values; `largest`: of every piece of a row.
  PackedRows finish(const Room& values, Tensor x, const CutGroups& groups, const float* largest);

  WeightType weights_;
  InputForm form_;
  const KernelTable& table_;
  ThreadPool& pool_;
  Buffer values_;
  Buffer scales_;
  Buffer starts_;
  Buffer blocks_;
  Buffer largest_;
};

}  // namespace unmask::cpu
