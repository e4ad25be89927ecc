#include "methods/maskkv.h"

#include <algorithm>
#include <utility>

#include "methods/selection.h"

namespace unmask {

namespace {

/// Those of the block's rows of q that are still masked; all of them once none is.
Rows voters(const Step& step, Range block_rows) {
  std::vector<int> masks;
  for (int i = 0; i < step.block.size(); ++i) {
    if (step.masked(step.block.begin + i)) masks.push_back(block_rows.begin + i);
  }
  return masks.empty() ? Rows(block_rows) : Rows(std::move(masks));
}

}  // namespace

std::vector<Rows> MaskKv::select(const AttendScope& scope, const PresentKeys& present) const {
  const auto keys = static_cast<size_t>(present.k.rows);
  std::vector<float> votes(keys * static_cast<size_t>(scope.shape.n_kv_heads));
  scope.backend.attention_mass(scope.q, voters(scope.step, present.block), present.k, scope.shape,
                               votes);
  const int prompt = scope.step.prompt_length;
  std::vector<Rows> kept;
  for (size_t h = 0; h < static_cast<size_t>(scope.shape.n_kv_heads); ++h) {
    const std::vector<int>& positions = present.positions[present.positions.size() == 1 ? 0 : h];
    std::vector<std::pair<int, float>> voted;  // positions of the prompt and their votes
    std::vector<int> rows;
    for (size_t slot = 0; slot < keys; ++slot) {
      const int p = positions[slot];
      if (p < prompt) voted.emplace_back(p, votes[h * keys + slot]);
      if (p >= prompt && !scope.step.block.contains(p)) rows.push_back(p);
    }
    const int keep = static_cast<int>(static_cast<double>(prompt) * options_.keep);
    for (const int p : best_positions(std::move(voted), 1, keep)) rows.push_back(p);
    std::ranges::sort(rows);
    kept.emplace_back(std::move(rows));
  }
  return kept;
}

std::unique_ptr<Method> create_maskkv(Options& options, const MethodContext& context) {
  const MaskKvOptions defaults;
  MaskKvOptions o{.keep = options.number("keep", defaults.keep, 0, 1),
                  .steps = read_eviction_steps(options, context)};
  o.steps.refresh.whole_prompt = true;  // every key head keeps as many of it
  return std::make_unique<MaskKv>(o);
}

}  // namespace unmask
