// What a model thinks of named tokens at named positions, in one pass and without deciding
// anything.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "generate/alternatives.h"
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
  /// The same of points with one token each, with the `count` most likely tokens beside it.
  std::vector<Alternatives> alternatives(std::span<const ProbeCanvas> canvases, int count);

 private:
  using UseRow = std::function<void(const ProbePoint&, std::span<const float> logits)>;
  /// Runs a pass; rows come in the order of the points.
  void each_row(std::span<const ProbeCanvas> canvases, const UseRow& use);
  void check(const ProbeCanvas& canvas) const;

  Transformer& model_;
  LogitTiles logits_;
};

}  // namespace unmask
