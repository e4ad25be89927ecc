#include "methods/maskkv.h"

#include "methods/selection.h"

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

std::unique_ptr<Method> create_maskkv(Options& options, const MethodContext& context) {
  const MaskKvOptions defaults;
  return std::make_unique<MaskKv>(MaskKvOptions{.keep = options.number("keep", defaults.keep, 0, 1),
                                                .steps = read_eviction_steps(options, context)});
}

}  // namespace unmask
