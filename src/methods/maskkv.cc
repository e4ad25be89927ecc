#include "methods/maskkv.h"

#include <limits>

#include "methods/selection.h"
#include "methods/tail_cache.h"

namespace unmask {

namespace {

/// Rows of the block that are still masked; all of them once none is.
Rows voters(const Step& step) {
  std::vector<int> masks;
  for (int p = step.block.begin; p < step.block.end; ++p) {
    if (step.masked(p)) masks.push_back(p);
  }
  return masks.empty() ? Rows(step.block) : Rows(std::move(masks));
}

}  // namespace

StepPlan MaskKv::plan_step(const Step& step) {
  const bool alone = options_.first_alone && step.in_block == 0;
  return {.rows = Rows(step.in_block <= options_.delay ? step.all() : step.block),
          .commit = alone ? Range{step.block.begin, step.block.begin + 1} : Range{},
          .measures = step.in_block == options_.delay};
}

Attention MaskKv::attend(AttendScope& scope) {
  // The pass that builds the cache still attends to everything.
  if (scope.step.in_block == options_.delay) build(scope);
  if (scope.step.in_block <= options_.delay) return {{scope.k, scope.v}};
  return attend_with_fresh_tail(scope);
}

void MaskKv::build(AttendScope& scope) {
  if (scope.layer >= static_cast<int>(kept_.size())) kept_.resize(kept_.size() + 1);
  std::vector<Rows>& kept = kept_[static_cast<size_t>(scope.layer)];
  kept = select(scope);
  // Heads keep as many positions each, but not the same ones: keys carry their rotation and
  // attention knows no order, so a slot may stand for another position in every head.
  const Range survivors{0, kept[0].size()};
  scope.store.resize(scope.backend, survivors.size() + scope.step.block.size(), scope.k.cols);
  const KvView store = scope.store.view();
  for (int h = 0; h < scope.shape.n_kv_heads; ++h) {
    const Rows& rows = kept[static_cast<size_t>(h)];
    const Range head{h * scope.shape.head_dim, (h + 1) * scope.shape.head_dim};
    scope.backend.gather(scope.k.columns(head), rows, store.k.slice(survivors).columns(head));
    scope.backend.gather(scope.v.columns(head), rows, store.v.slice(survivors).columns(head));
  }
}

std::vector<Rows> MaskKv::select(const AttendScope& scope) const {
  const auto keys = static_cast<size_t>(scope.k.rows);
  std::vector<float> votes(keys * static_cast<size_t>(scope.shape.n_kv_heads));
  scope.backend.attention_mass(scope.q, voters(scope.step), scope.k, scope.shape, votes);
  const auto prompt = static_cast<size_t>(scope.step.prompt_length);
  const int keep = static_cast<int>(static_cast<double>(prompt) * options_.keep);
  std::vector<Rows> kept;
  for (size_t h = 0; h < static_cast<size_t>(scope.shape.n_kv_heads); ++h) {
    const Rows chosen = largest(std::span(votes).subspan(h * keys, prompt), keep);
    std::vector<int> rows(chosen.begin(), chosen.end());
    for (int p = scope.step.prompt_length; p < scope.step.length(); ++p) {
      if (!scope.step.block.contains(p)) rows.push_back(p);
    }
    kept.emplace_back(std::move(rows));
  }
  return kept;
}

std::vector<int> MaskKv::slot_positions(const AttendScope& scope, int kv_head) const {
  // What the previous block left is not read again.
  if (scope.step.in_block < options_.delay) return {};
  const Rows& kept = kept_[static_cast<size_t>(scope.layer)][static_cast<size_t>(kv_head)];
  std::vector<int> positions(kept.begin(), kept.end());
  const Rows block(scope.step.block);
  positions.insert(positions.end(), block.begin(), block.end());
  return positions;
}

std::unique_ptr<Method> create_maskkv(Options& options, const MethodContext& context) {
  constexpr int kMax = std::numeric_limits<int>::max();
  const MaskKvOptions defaults;
  return std::make_unique<MaskKv>(
      MaskKvOptions{.keep = options.number("keep", defaults.keep, 0, 1),
                    .delay = options.count("delay", defaults.delay, 0, kMax),
                    .first_alone = context.config.logit_shift > 0});
}

}  // namespace unmask
