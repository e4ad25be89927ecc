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
  StepSeries* series = nullptr;  // that knows the tokens of the rows; null: step.tokens
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
  void logits(Tensor hidden, Tensor out) { backend_.linear(hidden, {weights_.head.get(), out}); }

  /// Bytes of the workspace at its present size.
  size_t workspace_bytes() const;

 private:
  /// A sequence's share of the rows of a tensor of the whole batch.
  struct Share {
    Range keys;     // rows of k and v
    Range queries;  // rows of q
  };
  /// The rows that one layer computes.
  struct Work {
    std::vector<Share> shares;         // one a sequence
    std::vector<int> positions;        // of the rows of k and v
    std::vector<int> query_positions;  // of the rows of q
  };
  struct Workspace {
    Buffer x, picked;       // [rows, dim], the residual stream
    Buffer normed, output;  // [rows, dim]
    Buffer ffn_input;       // [tile, dim]
    Buffer q, context;      // [rows, n_heads * head_dim]
    Buffer k, v;            // [rows, n_kv_heads * head_dim]
    Buffer gate;            // [tile, ffn_dim]
  };

  Tensor fit(Buffer& buffer, int rows, int cols, DType type);
  /// The same for what lies between two operations.
  Tensor fit(Buffer& buffer, int rows, int cols) {
    return fit(buffer, rows, cols, backend_.activation_type());
  }
  void embed(std::span<const Slice> batch, Tensor x);
  std::vector<LayerPlan> plan_layer(int layer, std::span<Slice> batch, const Work& all,
                                    Tensor normed);
  /// x plus the outputs of one layer, of which `plans` want only some rows computed.
  void partial_layer(int layer, std::span<Slice> batch, const Work& all,
                     std::span<const LayerPlan> plans, Tensor normed, Tensor x);
  /// `normed`: the rows that get keys and values; `asking`: those of them that ask. What attention
  /// adds to these goes `into` out.
  void attention(int layer, std::span<Slice> batch, const Work& work, Tensor normed, Tensor asking,
                 Tensor out, Into into);
  /// What the feed-forward adds to x goes `into` out, which may be x.
  void feed_forward(int layer, Tensor x, Tensor out, Into into);

  ModelConfig config_;
  const Weights& weights_;
  Backend& backend_;
  HeadShape shape_;
  Workspace memory_;
};

}  // namespace unmask
