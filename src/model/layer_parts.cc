#include "model/layer_parts.h"

#include <algorithm>

namespace unmask {

namespace {

/// Where the keys end that the queries of a sequence see; empty: they see every slot. Slots are
/// positions in their order, but for `left_out` before the queries' block that have none.
std::vector<int> key_ends(const Visibility& visibility, std::span<const int> positions, int slots,
                          int left_out) {
  std::vector<int> ends;
  if (!visibility.is_block_causal()) return ends;
  for (const int p : positions) ends.push_back(visibility.end(p, slots + left_out) - left_out);
  const bool all = std::all_of(ends.begin(), ends.end(), [&](int end) { return end == slots; });
  return all ? std::vector<int>() : ends;
}

}  // namespace

LayerParts::LayerParts(const ModelConfig& config, const Weights& weights, Backend& backend,
                       Workspace& memory)
    : config_(config),
      weights_(weights),
      backend_(backend),
      memory_(memory),
      shape_{config.n_heads, config.n_kv_heads, config.head_dim},
      rotations_(config) {}

LayerParts::Projected LayerParts::project(int layer, std::span<const SequencePass> batch,
                                          const LayerRows& rows, Tensor normed, Tensor asking) {
  const LayerWeights& w = weights(layer);
  const int kv_dim = config_.n_kv_heads * config_.head_dim;
  const Tensor q = memory_.fit(Workspace::queries, asking.rows, config_.n_heads * config_.head_dim);
  const Tensor k = memory_.fit(Workspace::keys, normed.rows, kv_dim);
  const Tensor v = memory_.fit(Workspace::values, normed.rows, kv_dim);
  const LinearMap maps[] = {
      {w.q.get(), q, w.q_bias}, {w.k.get(), k, w.k_bias}, {w.v.get(), v, w.v_bias}};
  if (asking.data == normed.data && asking.rows == normed.rows) {
    backend_.linear(normed, maps);
  } else {
    backend_.linear(asking, maps[0]);
    backend_.linear(normed, std::span(maps).subspan(1));
  }
  normalize_heads(w.q_norm, q);
  normalize_heads(w.k_norm, k);
  rotate(batch, rows, q, k);
  return {q, k, v};
}

void LayerParts::normalize_heads(Tensor weight, Tensor x) {
  if (!weight || x.rows == 0) return;
  const int heads = x.cols / config_.head_dim;
  const Tensor by_head{x.data, x.dtype, x.rows * heads, config_.head_dim, config_.head_dim};
  backend_.rms_norm(by_head, weight, config_.norm_eps, by_head);
}

void LayerParts::rotate(std::span<const SequencePass> batch, const LayerRows& rows, Tensor q,
                        Tensor k) {
  if (!rotations_.follow_length()) {
    backend_.rope(q, rows.query_positions, rotations_.of(0));
    backend_.rope(k, rows.positions, rotations_.of(0));
    return;
  }
  for (size_t i = 0; i < batch.size(); ++i) {
    const LayerRows::Part& part = rows.parts[i];
    const Rotation& rotation = rotations_.of(static_cast<int>(batch[i].step.tokens.size()));
    backend_.rope(q.slice(part.queries), rows.query_positions_of(i), rotation);
    backend_.rope(k.slice(part.keys), rows.positions_of(i), rotation);
  }
}

void LayerParts::attention(int layer, std::span<SequencePass> batch, const LayerRows& rows,
                           Tensor normed, Tensor asking, Tensor out, Into into) {
  const Projected projected = project(layer, batch, rows, normed, asking);
  const Tensor context = memory_.fit(Workspace::context, asking.rows, projected.q.cols);
  // A draft writes the slots that the pass before it reads, so it waits for it.
  for (size_t begin = 0, end = 0; begin < batch.size(); begin = end) {
    do ++end;
    while (end < batch.size() && !batch[end].draft);
    attend(layer, batch, {static_cast<int>(begin), static_cast<int>(end)}, rows, projected,
           context);
  }
  backend_.linear(context, {.weights = weights(layer).attn_out.get(), .out = out, .into = into});
}

void LayerParts::attend(int layer, std::span<SequencePass> batch, Range sequences,
                        const LayerRows& rows, const Projected& projected, Tensor context) {
  std::vector<AttentionTask> tasks;
  std::vector<std::vector<int>> ends(batch.size());  // as long as the tasks
  const auto first = static_cast<size_t>(sequences.begin);
  const auto behind = static_cast<size_t>(sequences.end);
  for (size_t i = first; i < behind; ++i) {
    const LayerRows::Part& part = rows.parts[i];
    AttendScope scope{.layer = layer,
                      .step = batch[i].step,
                      .backend = backend_,
                      .store = (*batch[i].stores)[static_cast<size_t>(layer)],
                      .shape = shape_,
                      .visibility = config_.visibility.of(batch[i].step.prompt_length),
                      .positions = rows.positions_of(i),
                      .query_positions = rows.query_positions_of(i),
                      .q = projected.q.slice(part.queries),
                      .k = projected.k.slice(part.keys),
                      .v = projected.v.slice(part.keys)};
    const Attention attention = batch[i].method->attend(scope);
    ends[i] = key_ends(scope.visibility, rows.query_positions_of(i), attention.kv.k.rows,
                       attention.left_out);
    tasks.push_back({.q = scope.q,
                     .kv = attention.kv,
                     .out = context.slice(part.queries),
                     .pattern = attention.pattern,
                     .positions = rows.query_positions_of(i),
                     .key_ends = ends[i],
                     .importance = attention.importance});
  }
  backend_.attention(tasks, shape_);
  for (size_t i = first; i < behind; ++i) {
    BlockImportance* const importance = tasks[i - first].importance;
    if (importance != nullptr) batch[i].method->attended(layer, *importance);
  }
}

void LayerParts::feed_forward(int layer, Tensor x, Tensor out, Into into) {
  const LayerWeights& w = weights(layer);
  const int tile = std::min(backend_.tile_rows(), std::max(1, x.rows));
  const Tensor input = memory_.fit(Workspace::ffn_input, tile, config_.dim);
  for (int begin = 0; begin < x.rows; begin += tile) {
    const Range rows{begin, std::min(begin + tile, x.rows)};
    const Tensor in = input.slice({0, rows.size()});
    backend_.rms_norm(x.slice(rows), w.ffn_norm, config_.norm_eps, in);
    if (const auto* gated = std::get_if<GatedWeights>(&w.ffn)) {
      dense(*gated, in, out.slice(rows), into);
    } else {
      experts(std::get<ExpertWeights>(w.ffn), in, out.slice(rows), into);
    }
  }
}

void LayerParts::dense(const GatedWeights& w, Tensor x, Tensor out, Into into) {
  const Tensor inner = memory_.fit(Workspace::gate, x.rows, w.gate->out());
  const LinearMap gated[] = {{w.gate.get(), inner}, {w.up.get(), inner, {}, Into::gate}};
  backend_.linear(x, gated);
  backend_.linear(inner, {.weights = w.down.get(), .out = out, .into = into});
}

void LayerParts::experts(const ExpertWeights& w, Tensor x, Tensor out, Into into) {
  const auto maps_of = [](const GatedWeights& g) {
    return GatedMaps{g.gate.get(), g.up.get(), g.down.get()};
  };
  std::vector<GatedMaps> maps;
  for (const GatedWeights& expert : w.experts) maps.push_back(maps_of(expert));
  const GatedMaps shared = w.shared ? maps_of(*w.shared) : GatedMaps{};
  backend_.experts(x,
                   {.router = w.router,
                    .router_bias = w.router_bias,
                    .maps = maps,
                    .shared = w.shared ? &shared : nullptr,
                    .routing = w.routing},
                   out, into);
}

Tensor LayerParts::project_values(int layer, Tensor normed, const Rows& rows) {
  const LayerWeights& w = weights(layer);
  const Tensor input = memory_.fit(Workspace::output, rows.size(), config_.dim);
  const Tensor values =
      memory_.fit(Workspace::values, rows.size(), config_.n_kv_heads * config_.head_dim);
  backend_.gather(normed, rows, input);
  backend_.linear(input, {w.v.get(), values, w.v_bias});
  return values;
}

}  // namespace unmask
