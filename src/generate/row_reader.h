// Makes of the hidden rows of a step what its request decides from.
#pragma once

#include <vector>

#include "generate/logit_tiles.h"
#include "generate/running_request.h"

namespace unmask {

class RowReader {
 public:
  /// `model` outlives the reader.
  explicit RowReader(Transformer& model) : model_(model), tiles_(model) {}

  /// Statistics of the positions that `hidden` predicts in this step, and what a constraint or
  /// alternatives need beside them. Throws Error (not_finite) when the logits are no numbers.
  RowReading read(RunningRequest& r, Tensor hidden, std::span<const int> positions, int step);

  LogitTiles& tiles() { return tiles_; }
  size_t bytes() const { return tiles_.bytes() + host_.capacity() * sizeof(float); }
  void release();

 private:
  Transformer& model_;
  LogitTiles tiles_;
  std::vector<float> host_;  // rows of a tile
};

}  // namespace unmask
