#include "model/transformer.h"

#include <algorithm>

namespace unmask {

namespace {

bool is_partial(const LayerPlan& plan) { return bool{plan.attn_out}; }

}  // namespace

Transformer::Transformer(const ModelConfig& config, const Weights& weights, Backend& backend)
    : config_(config),
      weights_(weights),
      backend_(backend),
      shape_{config.n_heads, config.n_kv_heads, config.head_dim} {}

Tensor Transformer::fit(Buffer& buffer, int rows, int cols, DType type) {
  const size_t bytes = dense_bytes(rows, cols, type);
  if (buffer.bytes() < bytes) {
    buffer = {};  // free first: both at once would double the peak
    buffer = backend_.allocate(bytes);
  }
  return buffer.view(rows, cols, type);
}

void Transformer::embed(std::span<const Slice> batch, Tensor x) {
  if (batch.front().series != nullptr) {
    UNMASK_CHECK(batch.size() == 1, "a series of steps has one sequence");
    batch.front().series->embed(weights_.embedding, x);
    return;
  }
  std::vector<TokenId> tokens;
  for (const Slice& s : batch) {
    for (const int p : s.plan.rows) tokens.push_back(s.step.tokens[static_cast<size_t>(p)]);
  }
  backend_.embed(tokens, weights_.embedding, x);
}

Tensor Transformer::forward(std::span<Slice> batch) {
  Work all;                 // every row asks
  Work pruned;              // only the wanted rows ask
  std::vector<int> wanted;  // in rows of the batch
  bool measures = false;
  for (const Slice& s : batch) {
    const auto first = static_cast<int>(all.positions.size());
    const Range keys{first, first + s.plan.rows.size()};
    const auto first_wanted = static_cast<int>(wanted.size());
    all.positions.insert(all.positions.end(), s.plan.rows.begin(), s.plan.rows.end());
    for (const int i : s.wanted) {
      wanted.push_back(first + i);
      pruned.query_positions.push_back(s.plan.rows[i]);
    }
    all.shares.push_back({keys, keys});
    pruned.shares.push_back({keys, {first_wanted, static_cast<int>(wanted.size())}});
    measures = measures || s.plan.measures;
  }
  all.query_positions = pruned.positions = all.positions;
  const Rows wanted_rows(std::move(wanted));
  const auto rows = static_cast<int>(all.positions.size());
  const Tensor x = fit(memory_.x, rows, config_.dim, DType::f32);
  const Tensor normed = fit(memory_.normed, rows, config_.dim);
  const Tensor picked = fit(memory_.picked, wanted_rows.size(), config_.dim, DType::f32);
  embed(batch, x);
  bool is_picked = false;
  for (int l = 0; l < config_.n_layers; ++l) {
    const LayerWeights& w = weights_.layers[static_cast<size_t>(l)];
    backend_.rms_norm(x, w.attn_norm, config_.norm_eps, normed);
    const std::vector<LayerPlan> plans = plan_layer(l, batch, all, normed);
    if (std::any_of(plans.begin(), plans.end(), is_partial)) {
      partial_layer(l, batch, all, plans, normed, x);
      continue;
    }
    // Exact saving: of the last layer's outputs only the wanted rows are ever read, so the others
    // need keys and values there but neither queries nor a feed-forward.
    is_picked = l == config_.n_layers - 1 && !measures;
    const Tensor sum = is_picked ? picked : x;
    const Tensor asking = is_picked ? fit(memory_.output, picked.rows, config_.dim) : normed;
    if (is_picked) {
      backend_.gather(x, wanted_rows, picked);
      backend_.gather(normed, wanted_rows, asking);
    }
    attention(l, batch, is_picked ? pruned : all, normed, asking, sum, Into::add);
    feed_forward(l, sum, sum, Into::add);
  }
  if (!is_picked) backend_.gather(x, wanted_rows, picked);
  backend_.rms_norm(picked, weights_.final_norm, config_.norm_eps, picked);
  return picked;
}

std::vector<LayerPlan> Transformer::plan_layer(int layer, std::span<Slice> batch, const Work& all,
                                               Tensor normed) {
  const LayerWeights& w = weights_.layers[static_cast<size_t>(layer)];
  std::vector<LayerPlan> plans;
  for (size_t i = 0; i < batch.size(); ++i) {
    const Tensor own = normed.slice(all.shares[i].keys);
    const std::function<Tensor(const Rows&)> project_values = [&](const Rows& rows) {
      const Tensor input = fit(memory_.output, rows.size(), config_.dim);
      const Tensor values = fit(memory_.v, rows.size(), config_.n_kv_heads * config_.head_dim);
      backend_.gather(own, rows, input);
      backend_.linear(input, {w.v.get(), values, w.v_bias});
      return values;
    };
    LayerScope scope{.layer = layer,
                     .step = batch[i].step,
                     .backend = backend_,
                     .store = (*batch[i].stores)[static_cast<size_t>(layer)],
                     .dim = config_.dim,
                     .project_values = project_values};
    plans.push_back(batch[i].method->plan_layer(scope));
  }
  return plans;
}

void Transformer::partial_layer(int layer, std::span<Slice> batch, const Work& all,
                                std::span<const LayerPlan> plans, Tensor normed, Tensor x) {
  Work some;
  std::vector<int> list;  // in rows of the batch
  for (size_t i = 0; i < plans.size(); ++i) {
    const Range own = all.shares[i].keys;
    const auto first = static_cast<int>(list.size());
    for (const int r : is_partial(plans[i]) ? plans[i].rows : Rows(Range{0, own.size()})) {
      list.push_back(own.begin + r);
      some.positions.push_back(batch[i].plan.rows[r]);
    }
    const Range share{first, static_cast<int>(list.size())};
    some.shares.push_back({share, share});
  }
  some.query_positions = some.positions;
  const Rows rows(std::move(list));
  const Tensor output = fit(memory_.output, rows.size(), config_.dim);
  const auto add = [&](Tensor LayerPlan::*remembered) {
    for (size_t i = 0; i < plans.size(); ++i) {
      const Tensor fresh = output.slice(some.shares[i].keys);
      const Tensor kept = plans[i].*remembered;
      if (kept) backend_.scatter(fresh, plans[i].rows, kept);
      backend_.add(x.slice(all.shares[i].keys), kept ? kept : fresh);
    }
  };
  backend_.gather(normed, rows, output);
  // The product reads the attention's own memory, so the rows may make way for it.
  attention(layer, batch, some, output, output, output, Into::store);
  add(&LayerPlan::attn_out);
  const Tensor input = normed.slice({0, rows.size()});  // the norms have been used
  backend_.gather(x, rows, input);
  feed_forward(layer, input, output, Into::store);
  add(&LayerPlan::ffn_out);
}

void Transformer::attention(int layer, std::span<Slice> batch, const Work& work, Tensor normed,
                            Tensor asking, Tensor out, Into into) {
  const LayerWeights& w = weights_.layers[static_cast<size_t>(layer)];
  const int q_dim = config_.n_heads * config_.head_dim;
  const int kv_dim = config_.n_kv_heads * config_.head_dim;
  const Tensor q = fit(memory_.q, asking.rows, q_dim);
  const Tensor k = fit(memory_.k, normed.rows, kv_dim);
  const Tensor v = fit(memory_.v, normed.rows, kv_dim);
  const Tensor context = fit(memory_.context, asking.rows, q_dim);
  const LinearMap maps[] = {
      {w.q.get(), q, w.q_bias}, {w.k.get(), k, w.k_bias}, {w.v.get(), v, w.v_bias}};
  if (asking.data == normed.data && asking.rows == normed.rows) {
    backend_.linear(normed, maps);
  } else {
    backend_.linear(asking, maps[0]);
    backend_.linear(normed, std::span(maps).subspan(1));
  }
  backend_.rope(q, work.query_positions, config_.head_dim, config_.rope_theta);
  backend_.rope(k, work.positions, config_.head_dim, config_.rope_theta);

  std::vector<AttentionTask> tasks;
  for (size_t i = 0; i < batch.size(); ++i) {
    const Share& share = work.shares[i];
    AttendScope scope{.layer = layer,
                      .step = batch[i].step,
                      .backend = backend_,
                      .store = (*batch[i].stores)[static_cast<size_t>(layer)],
                      .shape = shape_,
                      .positions = std::span(work.positions)
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
                     .positions = std::span(work.query_positions)
                                      .subspan(static_cast<size_t>(share.queries.begin),
                                               static_cast<size_t>(share.queries.size())),
                     .importance = attention.importance});
  }
  backend_.attention(tasks, shape_);
  for (size_t i = 0; i < batch.size(); ++i) {
    if (tasks[i].importance != nullptr) batch[i].method->attended(layer, *tasks[i].importance);
  }
  backend_.linear(context, {.weights = w.attn_out.get(), .out = out, .into = into});
}

void Transformer::feed_forward(int layer, Tensor x, Tensor out, Into into) {
  const LayerWeights& w = weights_.layers[static_cast<size_t>(layer)];
  const int tile = std::min(backend_.tile_rows(), std::max(1, x.rows));
  const Tensor input = fit(memory_.ffn_input, tile, config_.dim);
  const Tensor gate = fit(memory_.gate, tile, config_.ffn_dim);
  for (int begin = 0; begin < x.rows; begin += tile) {
    const Range rows{begin, std::min(begin + tile, x.rows)};
    const Tensor in = input.slice({0, rows.size()});
    const Tensor inner = gate.slice({0, rows.size()});
    backend_.rms_norm(x.slice(rows), w.ffn_norm, config_.norm_eps, in);
    const LinearMap gated[] = {{w.gate.get(), inner}, {w.up.get(), inner, {}, Into::gate}};
    backend_.linear(in, gated);
    backend_.linear(inner, {.weights = w.down.get(), .out = out.slice(rows), .into = into});
  }
}

size_t Transformer::workspace_bytes() const {
  size_t sum = 0;
  for (const Buffer* buffer :
       {&memory_.x, &memory_.normed, &memory_.output, &memory_.picked, &memory_.ffn_input,
        &memory_.q, &memory_.context, &memory_.k, &memory_.v, &memory_.gate}) {
    sum += buffer->bytes();
  }
  return sum;
}

}  // namespace unmask
