// What a model thinks of named tokens at named positions, in one pass and without deciding
// anything.
#pragma once

#include <span>
#include <vector>

#include "generate/logit_tiles.h"
#include "model/transformer.h"

namespace unmask {

/// A position of a canvas and the tokens in question there.
struct ProbePoint {
  int position;
  std::vector<TokenId> tokens;
};

/// A canvas with its points, ascending by position.
struct ProbeCanvas {
  std::vector<TokenId> tokens;
  std::vector<ProbePoint> points;
};

/// Asks a model with full attention; canvases of one call share its matrix products.
class Probe {
 public:
  /// `model` outlives the probe.
  explicit Probe(Transformer& model) : model_(model), logits_(model) {}

  /// Natural logarithms of the probabilities, canvas after canvas, point after point, token after
  /// token; float64 from float32 logits. A canvas's answer does not depend on the others. Throws
  /// Error for tokens or positions that do not exist and for points out of order.
  std::vector<double> log_probabilities(std::span<const ProbeCanvas> canvases);

 private:
  void check(const ProbeCanvas& canvas) const;

  Transformer& model_;
  LogitTiles logits_;
};

}  // namespace unmask
