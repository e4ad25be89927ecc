#include "eval/attention_probe.h"

#include <algorithm>
#include <limits>

#include "eval/attention_math.h"

namespace unmask {

namespace {

/// Hides the keys from position `end` on.
void hide_from(int end, std::span<const int> positions, std::span<double> scores) {
  for (size_t j = 0; j < scores.size(); ++j) {
    if (positions[j] >= end) scores[j] = -std::numeric_limits<double>::infinity();
  }
}

/// Hides the keys that a query's block does not look at.
void mask(const ChosenBlocks& chosen, int query, std::span<const int> positions,
          std::span<double> scores) {
  const std::vector<int>& list = chosen.lists[static_cast<size_t>(query / chosen.block_size)];
  for (size_t j = 0; j < scores.size(); ++j) {
    if (!std::binary_search(list.begin(), list.end(), positions[j] / chosen.key_size)) {
      scores[j] = -std::numeric_limits<double>::infinity();
    }
  }
}

ChosenBlocks chosen_blocks(const BlockPattern& pattern, int head) {
  ChosenBlocks chosen{pattern.block_size(), pattern.key_size(), {}};
  for (int b = 0; b < pattern.n_blocks(); ++b) {
    const std::span<const uint16_t> list = pattern.list(head, b);
    chosen.lists.emplace_back(list.begin(), list.end());
  }
  return chosen;
}

}  // namespace

StepPlan AttentionProbe::plan_step(const Step& step) {
  StepPlan plan = inner().plan_step(step);
  // Without it the last layer would compute the queries of some rows only.
  if (place_of(step) != nullptr) plan.queries = step.all();
  return plan;
}

Attention AttentionProbe::attend(AttendScope& scope) {
  const Attention attention = inner().attend(scope);
  StepObservation* place = scope.layer == record_.layer ? place_of(scope.step) : nullptr;
  if (place == nullptr) return attention;
  place->block = scope.step.block;
  place->rows = scope.q.rows;
  for (const int head : record_.heads) place->heads.push_back(observe(scope, attention, head));
  return attention;
}

StepObservation* AttentionProbe::place_of(const Step& step) {
  const auto found = std::find_if(record_.steps.begin(), record_.steps.end(),
                                  [&](const StepObservation& s) { return s.step == step.index; });
  return found != record_.steps.end() ? &*found : nullptr;
}

HeadObservation AttentionProbe::observe(const AttendScope& scope, const Attention& attention,
                                        int head) const {
  const int dim = scope.shape.head_dim;
  const int kv_head = head / (scope.shape.n_heads / scope.shape.n_kv_heads);
  const std::vector<int> positions = key_positions(inner(), scope, attention, kv_head);
  const std::vector<float> q = download_head(scope.backend, scope.q, head, dim);
  const std::vector<float> k = download_head(scope.backend, attention.kv.k, kv_head, dim);

  HeadObservation seen{.head = head};
  if (attention.pattern != nullptr) seen.chosen = chosen_blocks(*attention.pattern, head);
  if (std::vector<int> kept = slot_positions(scope, kv_head); !kept.empty()) {
    std::sort(kept.begin(), kept.end());
    seen.kept = std::move(kept);
  }
  GridMean map(record_.length, record_.cell, GridMean::Of::pairs);
  GridMean blocks(record_.length, record_.score_block, GridMean::Of::sums);
  std::vector<double> scores(positions.size());
  std::vector<double> probabilities;
  for (size_t r = 0; r < scope.positions.size(); ++r) {
    const int query = scope.positions[r];
    const auto width = static_cast<size_t>(dim);
    attention_scores(std::span(q).subspan(r * width, width), k, scores);
    hide_from(scope.visibility.end(query, scope.step.length()), positions, scores);
    probabilities = scores;
    softmax(probabilities);
    blocks.add(query, positions, probabilities);
    if (seen.chosen) {
      mask(*seen.chosen, query, positions, scores);
      softmax(scores);
      probabilities = scores;
    }
    map.add(query, positions, probabilities);
  }
  seen.map = map.mean();
  seen.blocks = blocks.mean();
  return seen;
}

}  // namespace unmask
