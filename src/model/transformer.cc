#include "model/transformer.h"

namespace unmask {

Transformer::Transformer(const ModelConfig& config, const Weights& weights, Backend& backend)
    : config_(config),
      weights_(weights),
      backend_(backend),
      memory_(backend),
      parts_(config_, weights, backend, memory_) {}

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

Tensor Transformer::forward(std::span<SequencePass> batch, const LayerObserver& observe) {
  std::vector<Range> ranges = row_ranges(batch);
  const int n = ranges.back().end;
  Tensor x = memory_.fit(Workspace::residual, n, config_.dim, DType::f32);
  Tensor normed = memory_.fit(Workspace::normed, n, config_.dim);
  const int n_wanted = wanted_ranges(batch).back().end;
  Tensor picked = memory_.fit(Workspace::picked, n_wanted, config_.dim, DType::f32);
  embed(batch, x);
  std::vector<RowGroup> groups;
  for (int l = 0; l < config_.n_layers; ++l) {
    backend_.rms_norm(x, parts_.weights(l).attn_norm, config_.norm_eps, normed);
    const std::vector<LayerPlan> plans = plan_layer(l, batch, ranges, normed);
    if (!fits(groups, plans)) groups = group_rows(batch, plans);
    for (const RowGroup& group : groups) {
      const auto first = static_cast<size_t>(group.sequences.begin);
      const auto count = static_cast<size_t>(group.sequences.size());
      const auto own = batch.subspan(first, count);
      const Tensor own_x = x.slice(group.in_batch);
      const Tensor own_normed = normed.slice(group.in_batch);
      if (group.partial) {
        partial_layer(l, own, group.rows.all, std::span(plans).subspan(first, count), own_normed,
                      own_x);
      } else if (is_pruned(l, group)) {
        pruned_layer(l, own, group.rows, own_normed, own_x, picked.slice(group.picked));
      } else {
        parts_.attention(l, own, group.rows.all, own_normed, own_normed, own_x, Into::add);
        parts_.feed_forward(l, own_x, own_x, Into::add);
      }
    }
    if (observe) observe(l, x);
    if (!cuts_after(l, batch)) continue;
    x = cut_rows(l, batch, ranges, x);
    normed = normed.slice({0, x.rows});
    picked = picked.slice({0, wanted_ranges(batch).back().end});
    ranges = row_ranges(batch);
    groups.clear();
  }
  for (const RowGroup& group : groups) {
    if (is_pruned(config_.n_layers - 1, group)) continue;
    backend_.gather(x.slice(group.in_batch), group.rows.wanted, picked.slice(group.picked));
  }
  backend_.rms_norm(picked, weights_.final_norm, config_.norm_eps, picked);
  return picked;
}

bool Transformer::is_pruned(int layer, const RowGroup& group) const {
  return layer == config_.n_layers - 1 && !group.partial && group.rows.prunes();
}

void Transformer::pruned_layer(int layer, std::span<SequencePass> batch, const PassRows& rows,
                               Tensor normed, Tensor x, Tensor picked) {
  const int n = rows.asking.size();
  if (n == x.rows) {
    parts_.attention(layer, batch, rows.all, normed, normed, x, Into::add);
    backend_.gather(x, rows.wanted, picked);
  } else {
    const Tensor asking = memory_.fit(Workspace::output, n, config_.dim);
    const Tensor kept = memory_.fit(Workspace::kept, n, config_.dim, DType::f32);
    backend_.gather(x, rows.asking, kept);
    backend_.gather(normed, rows.asking, asking);
    parts_.attention(layer, batch, rows.pruned, normed, asking, kept, Into::add);
    backend_.gather(kept, rows.wanted_of_asking, picked);
  }
  parts_.feed_forward(layer, picked, picked, Into::add);
}

}  // namespace unmask
