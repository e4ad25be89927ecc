// The two sublayers of a layer, attention and feed-forward, over all rows of a pass or some of
// them.
#pragma once

#include <span>
#include <vector>

#include "model/layer_rows.h"
#include "model/rotations.h"
#include "model/weights.h"
#include "model/workspace.h"

namespace unmask {

class LayerParts {
 public:
  /// All of it outlives the parts.
  LayerParts(const ModelConfig& config, const Weights& weights, Backend& backend,
             Workspace& memory);

  const LayerWeights& weights(int layer) const {
    return weights_.layers[static_cast<size_t>(layer)];
  }
  /// `normed`: the rows that get keys and values; `asking`: those of them that have queries. What
  /// attention adds to these goes `into` out.
  void attention(int layer, std::span<SequencePass> batch, const LayerRows& rows, Tensor normed,
                 Tensor asking, Tensor out, Into into);
  /// What the feed-forward adds to x goes `into` out, which may be x.
  void feed_forward(int layer, Tensor x, Tensor out, Into into);
  /// Value vectors of some rows of `normed`, valid until the next call.
  Tensor project_values(int layer, Tensor normed, const Rows& rows);

 private:
  struct Projected {
    Tensor q, k, v;
  };
  /// Queries and keys, rotated, and values.
  Projected project(int layer, std::span<const SequencePass> batch, const LayerRows& rows,
                    Tensor normed, Tensor asking);
  /// What the queries of some sequences of the batch see goes into their rows of `context`.
  void attend(int layer, std::span<SequencePass> batch, Range sequences, const LayerRows& rows,
              const Projected& projected, Tensor context);
  /// Root mean square norm of every head of x [rows, heads * head_dim]; without weight none.
  void normalize_heads(Tensor weight, Tensor x);
  void rotate(std::span<const SequencePass> batch, const LayerRows& rows, Tensor q, Tensor k);

  void dense(const GatedWeights& w, Tensor x, Tensor out, Into into);
  void experts(const ExpertWeights& w, Tensor x, Tensor out, Into into);

  const ModelConfig& config_;
  const Weights& weights_;
  Backend& backend_;
  Workspace& memory_;
  HeadShape shape_;
  Rotations rotations_;
};

}  // namespace unmask
