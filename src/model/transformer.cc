#include "model/transformer.h"

#include <algorithm>

namespace unmask {

namespace {

// Rows of the feed-forward that go through together: bounds its buffers, while every weight panel
// still serves enough rows to be worth reading.
constexpr int kFeedForwardTile = 1024;

}  // namespace

Transformer::Transformer(const ModelConfig& config, const Weights& weights, Backend& backend)
    : config_(config),
      weights_(weights),
      backend_(backend),
      shape_{config.n_heads, config.n_kv_heads, config.head_dim} {}

Tensor Transformer::fit(Buffer& buffer, int rows, int cols) {
  const size_t bytes = static_cast<size_t>(rows) * static_cast<size_t>(cols) * sizeof(float);
  if (buffer.bytes() < bytes) {
    buffer = {};  // free first: both at once would double the peak
    buffer = backend_.allocate(bytes);
  }
  return buffer.view(rows, cols);
}

void Transformer::embed(std::span<const Slice> batch, Tensor x) {
  std::vector<TokenId> tokens;
  positions_.clear();
  for (const Slice& s : batch) {
    for (const int position : s.plan.rows) {
      tokens.push_back(s.step.tokens[static_cast<size_t>(position)]);
      positions_.push_back(position);
    }
  }
  backend_.embed(tokens, weights_.embedding, x);
}

Tensor Transformer::forward(std::span<Slice> batch) {
  int rows = 0;
  std::vector<Share> all;   // every row asks
  std::vector<Share> last;  // only the wanted rows ask
  std::vector<int> wanted;  // in rows of the batch
  bool measures = false;
  for (const Slice& s : batch) {
    const Range keys{rows, rows + s.plan.rows.size()};
    const auto first = static_cast<int>(wanted.size());
    for (const int i : s.wanted) wanted.push_back(rows + i);
    all.push_back({keys, keys});
    last.push_back({keys, {first, static_cast<int>(wanted.size())}});
    measures = measures || s.plan.measures;
    rows = keys.end;
  }
  const Rows wanted_rows(std::move(wanted));
  const Tensor x = fit(work_.x, rows, config_.dim);
  const Tensor normed = fit(work_.normed, rows, config_.dim);
  embed(batch, x);
  query_positions_ = positions_;
  const Tensor picked = fit(work_.picked, wanted_rows.size(), config_.dim);
  Tensor out = x;
  for (int l = 0; l < config_.n_layers; ++l) {
    const LayerWeights& w = weights_.layers[static_cast<size_t>(l)];
    backend_.rms_norm(x, w.attn_norm, config_.norm_eps, normed);
    // Exact saving: of the last layer's outputs only the wanted rows are ever read, so the others
    // need keys and values there but neither queries nor a feed-forward.
    if (l == config_.n_layers - 1 && !measures) {
      const Tensor asking = fit(work_.picked_normed, picked.rows, config_.dim);
      backend_.gather(x, wanted_rows, picked);
      backend_.gather(normed, wanted_rows, asking);
      query_positions_.clear();
      for (const int r : wanted_rows) {
        query_positions_.push_back(positions_[static_cast<size_t>(r)]);
      }
      attention(l, batch, last, normed, asking, picked);
      out = picked;
    } else {
      attention(l, batch, all, normed, normed, x);
    }
    feed_forward(w, out);
  }
  if (measures) {
    backend_.gather(x, wanted_rows, picked);
    out = picked;
  }
  backend_.rms_norm(out, weights_.final_norm, config_.norm_eps, picked);
  return picked;
}

void Transformer::attention(int layer, std::span<Slice> batch, std::span<const Share> shares,
                            Tensor normed, Tensor query_input, Tensor x) {
  const LayerWeights& w = weights_.layers[static_cast<size_t>(layer)];
  const int q_dim = config_.n_heads * config_.head_dim;
  const int kv_dim = config_.n_kv_heads * config_.head_dim;
  const Tensor q = fit(work_.q, query_input.rows, q_dim);
  const Tensor k = fit(work_.k, normed.rows, kv_dim);
  const Tensor v = fit(work_.v, normed.rows, kv_dim);
  const Tensor context = fit(work_.context, query_input.rows, q_dim);
  backend_.linear(query_input, *w.q, w.q_bias, q);
  backend_.linear(normed, *w.k, w.k_bias, k);
  backend_.linear(normed, *w.v, w.v_bias, v);
  backend_.rope(q, query_positions_, config_.head_dim, config_.rope_theta);
  backend_.rope(k, positions_, config_.head_dim, config_.rope_theta);

  std::vector<AttentionTask> tasks;
  for (size_t i = 0; i < batch.size(); ++i) {
    const Share& share = shares[i];
    AttendScope scope{.layer = layer,
                      .step = batch[i].step,
                      .backend = backend_,
                      .store = (*batch[i].stores)[static_cast<size_t>(layer)],
                      .shape = shape_,
                      .positions = std::span(positions_)
                                       .subspan(static_cast<size_t>(share.keys.begin),
                                                static_cast<size_t>(share.keys.size())),
                      .q = q.slice(share.queries),
                      .k = k.slice(share.keys),
                      .v = v.slice(share.keys)};
    const Attention attention = batch[i].method->attend(scope);
    tasks.push_back({.q = scope.q,
                     .kv = attention.kv,
                     .out = context.slice(share.queries),
                     .pattern = attention.pattern,
                     .positions = std::span(query_positions_)
                                      .subspan(static_cast<size_t>(share.queries.begin),
                                               static_cast<size_t>(share.queries.size())),
                     .importance = attention.importance});
  }
  backend_.attention(tasks, shape_);
  for (size_t i = 0; i < batch.size(); ++i) {
    if (tasks[i].importance != nullptr) batch[i].method->attended(layer, *tasks[i].importance);
  }
  // The norm's output was its last use: its memory takes the projected attention.
  const Tensor projected = query_input;
  backend_.linear(context, *w.attn_out, {}, projected);
  backend_.add(x, projected);
}

void Transformer::feed_forward(const LayerWeights& w, Tensor x) {
  const int tile = std::min(kFeedForwardTile, std::max(1, x.rows));
  const Tensor gate = fit(work_.gate, tile, config_.ffn_dim);
  const Tensor up = fit(work_.up, tile, config_.ffn_dim);
  const Tensor normed = fit(work_.ffn_input, tile, config_.dim);
  for (int begin = 0; begin < x.rows; begin += tile) {
    const Range rows{begin, std::min(begin + tile, x.rows)};
    const Range used{0, rows.size()};
    const Tensor part = x.slice(rows);
    backend_.rms_norm(part, w.ffn_norm, config_.norm_eps, normed.slice(used));
    backend_.linear(normed.slice(used), *w.gate, {}, gate.slice(used));
    backend_.linear(normed.slice(used), *w.up, {}, up.slice(used));
    backend_.swiglu(gate.slice(used), up.slice(used));
    backend_.linear(gate.slice(used), *w.down, {}, normed.slice(used));
    backend_.add(part, normed.slice(used));
  }
}

size_t Transformer::workspace_bytes() const {
  size_t sum = 0;
  for (const Buffer* buffer :
       {&work_.x, &work_.normed, &work_.picked, &work_.picked_normed, &work_.q, &work_.context,
        &work_.k, &work_.v, &work_.ffn_input, &work_.gate, &work_.up}) {
    sum += buffer->bytes();
  }
  return sum;
}

}  // namespace unmask
