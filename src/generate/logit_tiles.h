// Logits of many rows without a matrix of vocabulary x canvas: a tile of them exists at a time.
#pragma once

#include <algorithm>

#include "model/transformer.h"

namespace unmask {

class LogitTiles {
 public:
  /// Rows of a tile: 64 x 126,464 floats are 32 MB, whatever the canvas holds.
  static constexpr int kRows = 64;

  /// `model` outlives the tiles.
  explicit LogitTiles(Transformer& model) : model_(model) {}

  /// Calls use(logits, first) tile by tile: logits [n, vocab] of the hidden rows [first, first +
  /// n). The memory is reused by the next tile.
  template <typename Use>
  void each(Tensor hidden, const Use& use) {
    const int vocab = model_.config().vocab_size;
    const int rows = std::min(kRows, std::max(1, hidden.rows));
    const size_t bytes = dense_bytes(rows, vocab, DType::f32);
    if (memory_.bytes() < bytes) {
      memory_ = {};  // free first: both at once would double the peak
      memory_ = model_.backend().allocate(bytes);
    }
    for (int begin = 0; begin < hidden.rows; begin += rows) {
      const int n = std::min(rows, hidden.rows - begin);
      const Tensor logits = memory_.view(n, vocab);
      model_.logits(hidden.slice({begin, begin + n}), logits);
      use(logits, begin);
    }
  }

  size_t bytes() const { return memory_.bytes(); }
  void release() { memory_ = {}; }

 private:
  Transformer& model_;
  Buffer memory_;
};

}  // namespace unmask
