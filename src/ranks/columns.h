// Matrices of which every rank computes some columns and then has all of them.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/tensor.h"
#include "ranks/communicator.h"

namespace unmask {

/// `n` things in whole units, cut into one share a rank: neighbours, nearly equal, the first ones
/// larger. Where there are fewer units than ranks some have none, but never rank 0.
class Cut {
 public:
  Cut(int n, int unit, int ranks) : n_(n), unit_(unit), ranks_(ranks) {}
  Range of(int rank) const { return {begin(rank), begin(rank + 1)}; }

 private:
  int begin(int rank) const;

  int n_;
  int unit_;
  int ranks_;
};

/// A matrix and who has computed which of its columns.
struct CutColumns {
  Tensor matrix;  // in the host's memory
  Cut cut;
};

/// Completes matrices of which each rank has its own columns: bytes move, nothing is added up.
class ColumnGather {
 public:
  /// `ranks` outlives this.
  explicit ColumnGather(Communicator& ranks) : ranks_(ranks) {}

  Communicator& ranks() const { return ranks_; }
  /// All ranks call it with matrices of the same shapes, which become one gather.
  void run(std::span<const CutColumns> matrices);

 private:
  Communicator& ranks_;
  std::vector<std::byte> own_;  // as large as was needed so far
  std::vector<std::byte> all_;
};

}  // namespace unmask
