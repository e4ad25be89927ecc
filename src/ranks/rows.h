// Tensors of which every rank has computed some rows, until somebody reads them whole.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "core/tensor.h"
#include "ranks/communicator.h"

namespace unmask {

/// Rows by rank: neighbours in the order of the ranks, of which some may have none.
using RowShares = std::vector<Range>;

/// Knows which rows this rank has and which the others. All ranks ask it the same in the same
/// order, about memory of their own, so that what they know is the same.
class SplitRows {
 public:
  /// `ranks` outlives this.
  explicit SplitRows(Communicator& ranks) : ranks_(ranks) {}

  Communicator& ranks() const { return ranks_; }
  /// `n` rows in nearly equal shares.
  RowShares cut(int n) const;
  /// Who has which rows of a tensor that is split; none where every rank has all of them, and where
  /// only complete() helps, because the shares end within rows or came from several calls.
  std::optional<RowShares> shares(Tensor t) const;
  /// True when this rank has all of it.
  bool whole(Tensor t) const;

  /// Every rank has written its share of a dense tensor.
  void mark(Tensor t, const RowShares& shares);
  /// Every rank has written all of it.
  void written(Tensor t);
  /// Memory whose contents nobody reads any more.
  void forget(const void* data, size_t bytes);
  /// Every rank gets the rows of the others. Nothing travels where it is whole.
  void complete(Tensor t);

 private:
  using Place = const std::byte*;
  /// Memory from the key of the map to the last end; the share of a rank begins where that of the
  /// rank before ends.
  using Ends = std::vector<Place>;
  struct Span {
    Place begin;
    Place end;
  };

  static Span span_of(Tensor t);
  /// The first piece that ends after `begin`.
  std::map<Place, Ends>::const_iterator first_after(Place begin) const;
  /// Takes what is split of some memory out of the map.
  std::map<Place, Ends> take(Span span);
  /// Makes one piece of this one and the next, where they touch and keep the order of the ranks.
  void join(std::map<Place, Ends>::iterator piece);

  Communicator& ranks_;
  std::map<Place, Ends> pieces_;  // apart from each other
};

}  // namespace unmask
