// A hash of everything that a rank's backend has computed: where ranks differ, so do their hashes.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "core/checksum.h"
#include "core/tensor.h"
#include "kernels/ranks/row_split.h"
#include "ranks/communicator.h"

namespace unmask {

class StateHash {
 public:
  /// `rows`: of which ranks have their own; null: all have all.
  StateHash(bool counts, const RowSplitBackend* rows) : counts_(counts), rows_(rows) {}

  /// A tensor that was written; one whose rows are split leaves nothing to compare.
  void add(Tensor tensor) {
    if (!counts_ || (rows_ != nullptr && !rows_->whole(tensor))) return;
    const size_t width = dense_bytes(1, tensor.cols, tensor.dtype);
    const int64_t stride = tensor.stride * static_cast<int64_t>(dtype_bytes(tensor.dtype));
    for (int r = 0; r < tensor.rows; ++r) {
      const auto* row = static_cast<const std::byte*>(tensor.data) + r * stride;
      value_ = std::rotl(value_, 7) ^ checksum({row, width});
    }
  }
  /// Of all ranks, in their order.
  std::vector<uint64_t> gather(Communicator& ranks) const {
    const auto n = static_cast<size_t>(ranks.size());
    std::vector<uint64_t> all(n);
    ranks.gather(reinterpret_cast<const std::byte*>(&value_),
                 std::vector<int64_t>(n, int64_t{sizeof value_}),
                 reinterpret_cast<std::byte*>(all.data()));
    return all;
  }

 private:
  bool counts_;
  const RowSplitBackend* rows_;
  uint64_t value_ = 0;
};

}  // namespace unmask
