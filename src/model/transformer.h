// The transformer, described once for every family: it knows rows, steps and the questions a method
// answers, and no method by name.
#pragma once

#include <span>
#include <vector>

#include "model/method.h"
#include "model/weights.h"

namespace unmask {

/// One sequence for the length of one forward pass.
struct Slice {
  Step step;
  StepPlan plan;
  Method* method;
  std::vector<KvStore>* stores;  // one a layer
  Rows wanted;                   // indices into plan.rows whose hidden state is needed
};

class Transformer {
 public:
  /// Both must outlive the transformer; `config` is copied.
  Transformer(const ModelConfig& config, const Weights& weights, Backend& backend);

  const ModelConfig& config() const { return config_; }
  Backend& backend() const { return backend_; }

  /// Hidden states after the final norm of the wanted rows, sequence after sequence:
  /// [sum of wanted, dim]. The memory is reused by the next call.
  Tensor forward(std::span<Slice> batch);
  /// hidden W_head^T. [rows, vocab] into `out`.
  void logits(Tensor hidden, Tensor out) { backend_.linear(hidden, *weights_.head, {}, out); }

  /// Bytes of the workspace at its present size.
  size_t workspace_bytes() const;

 private:
  /// A sequence's share of the rows of a tensor of the whole batch.
  struct Share {
    Range keys;     // rows of k and v
    Range queries;  // rows of q
  };
  struct Workspace {
    Buffer x, normed, picked, picked_normed;  // [rows, dim]
    Buffer q, context;                        // [rows, n_heads * head_dim]
    Buffer k, v;                              // [rows, n_kv_heads * head_dim]
    Buffer ffn_input;                         // [tile, dim]
    Buffer gate, up;                          // [tile, ffn_dim]
  };

  Tensor fit(Buffer& buffer, int rows, int cols);
  void embed(std::span<const Slice> batch, Tensor x);
  void attention(int layer, std::span<Slice> batch, std::span<const Share> shares, Tensor normed,
                 Tensor query_input, Tensor x);
  void feed_forward(const LayerWeights& weights, Tensor x);

  ModelConfig config_;
  const Weights& weights_;
  Backend& backend_;
  HeadShape shape_;
  Workspace work_;
  std::vector<int> positions_;        // of all rows
  std::vector<int> query_positions_;  // of the rows that ask in the present layer
};

}  // namespace unmask
