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

/// Generated positions outside the block.
std::vector<int> others(const Step& step) {
  std::vector<int> list;
  for (int p = step.prompt_length; p < step.length(); ++p) {
    if (!step.block.contains(p)) list.push_back(p);
  }
  return list;
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
  // Heads keep as many positions each, but not the same ones: keys carry their rotation and
  // attention knows no order, so a slot may stand for another position in every head.
  const std::vector<Rows> kept = select(scope);
  const std::vector<int> always = others(scope.step);
  const int survivors = kept[0].size() + static_cast<int>(always.size());
  scope.store.resize(scope.backend, survivors + scope.step.block.size(), scope.k.cols);
  const int dim = scope.shape.head_dim;
  for (int h = 0; h < scope.shape.n_kv_heads; ++h) {
    std::vector<int> rows(kept[static_cast<size_t>(h)].begin(), kept[static_cast<size_t>(h)].end());
    rows.insert(rows.end(), always.begin(), always.end());
    const Rows list(std::move(rows));
    const Range head{h * dim, (h + 1) * dim};
    const Range slots{0, survivors};
    const KvView store = scope.store.view();
    scope.backend.gather(scope.k.columns(head), list, store.k.slice(slots).columns(head));
    scope.backend.gather(scope.v.columns(head), list, store.v.slice(slots).columns(head));
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
    kept.push_back(largest(std::span(votes).subspan(h * keys, prompt), keep));
  }
  return kept;
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
