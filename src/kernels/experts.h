// A feed-forward made of experts, of which every row takes a few: what Backend::experts computes.
#pragma once

#include <span>

#include "core/tensor.h"

namespace unmask {

class PackedMatrix;

/// One gated feed-forward: down(silu(gate x) * up x).
struct GatedMaps {
  const PackedMatrix* gate = nullptr;  // [width, dim]
  const PackedMatrix* up = nullptr;    // [width, dim]
  const PackedMatrix* down = nullptr;  // [dim, width]
};

/// The router gives a row one logit an expert and a softmax over all experts in float32. The row
/// takes the top_k most probable, ties to the lower index, and adds up their outputs, weighted.
struct Experts {
  Tensor router;  // [experts, dim], float32
  std::span<const GatedMaps> maps;
  const GatedMaps* shared = nullptr;  // null: none; else its output is added for every row, once
  int top_k = 1;
  bool normalized = false;  // weights: the probabilities over their sum, instead of as they are
  float scale = 1;          // of the weights
};

}  // namespace unmask
