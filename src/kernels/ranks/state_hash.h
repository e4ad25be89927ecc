// A hash of everything that a rank's backend has computed: where ranks differ, so do their hashes.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "core/checksum.h"
#include "core/tensor.h"
#include "kernels/backend.h"
#include "ranks/communicator.h"

namespace unmask {

class StateHash {
 public:
  /// `backend`: that computes what is compared.
  StateHash(bool counts, Backend& backend) : counts_(counts), backend_(backend) {}

  /// A tensor that was written; one that lies in parts leaves nothing to compare.
  void add(Tensor tensor) {
    if (!counts_ || !backend_.whole(tensor)) return;
    const auto cols = static_cast<size_t>(tensor.cols);
    values_.resize(static_cast<size_t>(tensor.rows) * cols);
    backend_.download(tensor, values_.data());
    const std::span<const float> values(values_);
    for (int r = 0; r < tensor.rows; ++r) {
      const auto row = std::as_bytes(values.subspan(static_cast<size_t>(r) * cols, cols));
      value_ = std::rotl(value_, 7) ^ checksum(row);
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
  Backend& backend_;
  std::vector<float> values_;  // of a tensor, on the host
  uint64_t value_ = 0;
};

}  // namespace unmask
