// Matrices of which every rank has some columns until somebody reads them whole.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "core/tensor.h"
#include "ranks/columns.h"

namespace unmask {

/// Knows which matrices lie in parts. All ranks ask it the same in the same order, about memory of
/// their own, so that what they know is the same.
class SplitColumns {
 public:
  /// `ranks` outlives this.
  explicit SplitColumns(Communicator& ranks) : gather_(ranks) {}

  ColumnGather& gather() { return gather_; }
  const Communicator& ranks() const { return gather_.ranks(); }
  /// Who has which columns of rows that are split; none where every rank has all, or where only
  /// complete() helps.
  std::optional<Cut> cut(Tensor rows) const;
  /// True when this rank has all of it.
  bool whole(Tensor t) const;

  /// Every rank has written its columns. What was known of these rows is forgotten, other columns
  /// too: overwrite() comes before the writing.
  void mark(const CutColumns& part);
  /// Every rank gets the columns of the others. Nothing travels where it is whole.
  void complete(Tensor t);
  /// Before all of a tensor is written: what else lies in its rows is completed.
  void overwrite(Tensor t);
  /// Memory whose contents nobody reads any more.
  void forget(const void* data, size_t bytes);
  void forget(Tensor t) { take(extent_of(t)); }

 private:
  struct Extent {
    const std::byte* begin;
    const std::byte* end;
    bool meets(const Extent& other) const { return begin < other.end && other.begin < end; }
  };

  static Extent extent_of(Tensor t);
  /// Takes the rows that lie in some memory out of the list, in the order of their addresses.
  std::vector<CutColumns> take(Extent extent);

  ColumnGather gather_;
  std::vector<CutColumns> parts_;  // apart from each other
};

}  // namespace unmask
