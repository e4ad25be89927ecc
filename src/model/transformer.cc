#include "model/transformer.h"

#include <algorithm>

namespace unmask {

Transformer::Transformer(const ModelConfig& config, const Weights& weights, Backend& backend,
                         Collective* collective)
    : config_(config),
      weights_(weights),
      backend_(backend),
      memory_(backend),
      parts_(config_, weights, backend, memory_, collective) {}

void Transformer::embed(std::span<const SequencePass> batch, Tensor x) {
  if (batch.front().series != nullptr) {
    UNMASK_CHECK(batch.size() == 1, "a series of steps has one sequence");
    batch.front().series->embed(weights_.embedding, x);
    return;
  }
  std::vector<TokenId> tokens;
  for (const SequencePass& s : batch) {
    for (const int p : s.plan.rows) tokens.push_back(s.step.tokens[static_cast<size_t>(p)]);
  }
  backend_.embed(tokens, weights_.embedding, x);
}

Tensor Transformer::forward(std::span<SequencePass> batch) {
  const PassRows rows(batch);
  const auto n = static_cast<int>(rows.all.positions.size());
  const Tensor x = memory_.fit(Workspace::residual, n, config_.dim, DType::f32);
  const Tensor normed = memory_.fit(Workspace::normed, n, config_.dim);
  const Tensor picked = memory_.fit(Workspace::picked, rows.wanted.size(), config_.dim, DType::f32);
  embed(batch, x);
  bool is_picked = false;
  for (int l = 0; l < config_.n_layers; ++l) {
    backend_.rms_norm(x, parts_.weights(l).attn_norm, config_.norm_eps, normed);
    const std::vector<LayerPlan> plans = plan_layer(l, batch, rows.all, normed);
    if (std::any_of(plans.begin(), plans.end(), is_partial)) {
      partial_layer(l, batch, rows.all, plans, normed, x);
      continue;
    }
    // Exact saving: of the last layer's outputs only the wanted rows are ever read, so the others
    // need keys and values there but neither queries nor a feed-forward.
    is_picked = l == config_.n_layers - 1 && !rows.all_queries;
    if (!is_picked) {
      parts_.attention(l, batch, rows.all, normed, normed, x, Into::add);
      parts_.feed_forward(l, x, x, Into::add);
      continue;
    }
    const Tensor asking = memory_.fit(Workspace::output, picked.rows, config_.dim);
    backend_.gather(x, rows.wanted, picked);
    backend_.gather(normed, rows.wanted, asking);
    parts_.attention(l, batch, rows.pruned, normed, asking, picked, Into::add);
    parts_.feed_forward(l, picked, picked, Into::add);
  }
  if (!is_picked) backend_.gather(x, rows.wanted, picked);
  backend_.rms_norm(picked, weights_.final_norm, config_.norm_eps, picked);
  return picked;
}

}  // namespace unmask
