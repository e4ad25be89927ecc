// The transformer, written once for every family and every method: it asks methods which rows a
// layer computes and which keys they see, and knows no method by name.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "model/layer_parts.h"
#include "model/layer_rows.h"
#include "model/weights.h"
#include "model/workspace.h"

namespace unmask {

/// Looks at x [rows, dim], float32, after a layer; of the last one where all rows are wanted.
using LayerObserver = std::function<void(int layer, Tensor x)>;

class Transformer {
 public:
  /// All but `config` outlive the transformer.
  Transformer(const ModelConfig& config, const Weights& weights, Backend& backend);
  Transformer(const Transformer&) = delete;  // its parts refer to each other
  Transformer& operator=(const Transformer&) = delete;

  const ModelConfig& config() const { return config_; }
  Backend& backend() const { return backend_; }

  /// Hidden states after the final norm of the wanted rows, sequence after sequence:
  /// [sum of wanted, dim]. The memory is reused by the next call. `observe` is optional. Where a
  /// plan cuts rows, the batch holds those that are left afterwards.
  Tensor forward(std::span<SequencePass> batch, const LayerObserver& observe = {});
  /// hidden W_head^T. [rows, vocab] into `out`.
  void logits(Tensor hidden, Tensor out) { backend_.linear(hidden, {weights_.head.get(), out}); }

  /// Gives the workspace back; the next pass takes what it needs.
  void release_workspace() { memory_.release(); }
  /// Bytes of the workspace at its present size.
  size_t workspace_bytes() const { return memory_.bytes(); }

 private:
  void embed(std::span<const SequencePass> batch, Tensor x);
  /// `rows`: of each sequence in `normed`.
  std::vector<LayerPlan> plan_layer(int layer, std::span<SequencePass> batch,
                                    std::span<const Range> rows, Tensor normed);
  /// Exact saving: of the last layer's outputs only the wanted rows are ever read, so the others
  /// need keys and values there, no feed-forward, and queries only where a method reads them.
  bool is_pruned(int layer, const RowGroup& group) const;
  /// `picked`: the wanted rows of x after such a layer.
  void pruned_layer(int layer, std::span<SequencePass> batch, const PassRows& rows, Tensor normed,
                    Tensor x, Tensor picked);
  /// x plus the outputs of one layer, of which `plans` want only some rows computed.
  void partial_layer(int layer, std::span<SequencePass> batch, const LayerRows& all,
                     std::span<const LayerPlan> plans, Tensor normed, Tensor x);

  /// Leaves of x, and of the batch, the rows that go on after a layer.
  Tensor cut_rows(int layer, std::span<SequencePass> batch, std::span<const Range> rows, Tensor x);

  ModelConfig config_;
  const Weights& weights_;
  Backend& backend_;
  Workspace memory_;
  LayerParts parts_;
};

}  // namespace unmask
