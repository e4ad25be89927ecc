// Matrices of which every rank computes some columns and then has all of them.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "core/tensor.h"
#include "ranks/communicator.h"

namespace unmask {

/// Things in one share a rank: neighbours in the order of the ranks.
class Cut {
 public:
  /// `n` things in whole units, nearly equal shares, the first ones larger. Where there are fewer
  /// units than ranks some have none, but never rank 0.
  Cut(int n, int unit, int ranks);
  /// `ends`: of the shares, by rank; each begins where the one before ends.
  explicit Cut(std::vector<int> ends) : ends_(std::move(ends)) {}

  int ranks() const { return static_cast<int>(ends_.size()); }
  int total() const { return ends_.back(); }
  Range of(int rank) const {
    const auto r = static_cast<size_t>(rank);
    return {r == 0 ? 0 : ends_[r - 1], ends_[r]};
  }
  bool operator==(const Cut&) const = default;

 private:
  std::vector<int> ends_;
};

/// Columns in groups of `size`, and the pieces of groups that ranks have of a cut: all pieces of
/// rank 0, then those of rank 1 ...
class CutGroups {
 public:
  CutGroups(const Cut& columns, int size);

  int size() const { return size_; }
  const Cut& pieces() const { return pieces_; }
  int group(int piece) const { return columns(piece).begin / size_; }
  /// The columns of a piece.
  Range columns(int piece) const { return columns_[static_cast<size_t>(piece)]; }
  /// True when no group has two pieces.
  bool are_whole() const;

 private:
  int size_;
  std::vector<Range> columns_;
  Cut pieces_;
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
