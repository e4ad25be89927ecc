// Tensors of which every rank has computed some rows, until somebody reads them whole.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/tensor.h"
#include "ranks/communicator.h"

namespace unmask {

/// Rows by rank: neighbours in the order of the ranks, of which some may have none.
using RowShares = std::vector<Range>;

/// Rows of a dense tensor that have not come from the ranks that have them.
struct MissingRows {
  Tensor rows;
  RowShares shares;  // of `rows`
  int first = 0;     // row of the tensor
};

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
  /// Ranks have written some rows of a tensor, each of those that are its own already.
  void changed(Tensor t) { forget_rounded(span_of(t)); }
  /// Every rank has written all of it.
  void written(Tensor t);
  /// Memory whose contents nobody reads any more.
  void forget(const void* data, size_t bytes);
  /// Every rank gets the rows of the others. Nothing travels where it is whole.
  void complete(Tensor t);
  /// The rows that the ranks lack of each other's. None where shares end within rows: complete()
  /// helps. `rounded`: who reads them does with rows that came in another precision than they were
  /// computed in.
  std::optional<std::vector<MissingRows>> missing(Tensor t, bool rounded) const;
  /// The caller gives every rank what missing() says. Who reads rows otherwise than `rounded` does
  /// not find them whole.
  void come(Tensor t, bool rounded);

 private:
  using Place = const std::byte*;
  /// Memory from the key of the map to the last end; the share of a rank begins where that of the
  /// rank before ends.
  using Ends = std::vector<Place>;
  struct Span {
    Place begin;
    Place end;
  };

  /// A piece, or a part of one.
  struct Piece {
    Place begin;
    Ends ends;
  };

  static Span span_of(Tensor t);
  /// Of a piece, within `span`.
  static Span part_of(const std::pair<const Place, Ends>& piece, Span span) {
    return {std::max(piece.first, span.begin), std::min(piece.second.back(), span.end)};
  }
  /// None where shares end within rows.
  static std::optional<MissingRows> rows_of(const Piece& piece, Tensor t);
  /// The first piece that ends after `begin`.
  std::map<Place, Ends>::const_iterator first_after(Place begin) const;
  /// Takes what is split of some memory out of the map.
  std::map<Place, Ends> take(Span span);
  /// The parts of a piece within `span` that have not come, or not rounded either.
  std::vector<Piece> not_come(Span span, const Ends& ends, bool rounded) const;
  void forget_rounded(Span span);
  /// Makes one piece of this one and the next, where they touch and keep the order of the ranks.
  void join(std::map<Place, Ends>::iterator piece);

  Communicator& ranks_;
  std::map<Place, Ends> pieces_;    // apart from each other
  std::map<Place, Place> rounded_;  // ends by beginnings, apart: within pieces, come rounded
};

}  // namespace unmask
