#include "methods/es_dllm.h"

#include <algorithm>
#include <cmath>

#include "methods/lengthened.h"
#include "methods/selection.h"

namespace unmask {

namespace {

// What a score gains so that a row goes on whatever the others have, as released.
constexpr float kSurest = 2;
constexpr float kJustDecided = 3;
constexpr float kLeftmost = 5;
constexpr int kSurestRows = 2;

/// Masks that have to go on: a step that decides more than one finds as many.
int surest_rows(const Step& step) { return std::max(kSurestRows, step.due.value_or(0)); }

}  // namespace

int EsDllm::deciding_row(int position) const { return std::max(0, position - shift_); }

std::optional<int> EsDllm::decides(const Step& step, int row) const {
  // Row 0 decides position 0, too, which no row precedes.
  for (int p = row == 0 ? 0 : row + shift_; p <= row + shift_; ++p) {
    if (step.block.contains(p) && step.masked(p)) return p;
  }
  return std::nullopt;
}

StepPlan EsDllm::plan_step(const Step& step) {
  if (step.block.begin != block_.begin) before_ += block_.size();
  block_ = step.block;
  // As released: a block counts as many steps as it has tokens, however few it took.
  const int count = before_ + step.in_block;
  Range rows{deciding_row(block_.begin), std::max(block_.end - shift_, 1)};
  if (step.in_block == 0 && !step.last_decided.empty()) {
    // The last block's last tokens are still masks in the cache.
    rows.begin = std::min(rows.begin, deciding_row(std::ranges::min(step.last_decided)));
  }
  const bool prompt = count % options_.prompt_update == 0;
  if (prompt || known_ == 0) rows.begin = 0;
  // Masks behind the block are computed once, with the first pass that finds them.
  const bool longer = known_ < step.length() && step.in_block == 0;
  if (longer) rows.end = step.length();
  known_ = std::max(known_, rows.end);
  const bool skips = !prompt && !longer && count % options_.block_update != 0;
  return {.rows = Rows(rows), .cuts = cuts(step, rows.size(), skips)};
}

std::vector<RowCut> EsDllm::cuts(const Step& step, int rows, bool skips) const {
  const auto last = static_cast<int>(step.last_decided.size());
  const int surest = surest_rows(step);
  const int needed =
      surest > kSurestRows ? last + surest : std::min(last + surest, step.block.size());
  std::vector<RowCut> cuts;
  int left = rows;
  for (const EsDllmOptions::Skip& skip : options_.skips) {
    const auto layer = static_cast<int>(std::ceil(skip.at * n_layers_));
    if (skip.keep == 1 || layer + 1 >= n_layers_) continue;
    if (skips) left = std::min(left, std::max(static_cast<int>(skip.keep * rows), needed));
    // Where both fall upon one layer the later one counts.
    if (!cuts.empty() && cuts.back().layer == layer) cuts.pop_back();
    cuts.push_back({layer, left});
  }
  return cuts;
}

EsDllm::Earlier& EsDllm::earlier(const CutScope& scope) {
  auto found = std::ranges::find(earlier_, scope.layer, &Earlier::layer);
  if (found == earlier_.end()) {
    earlier_.push_back({.layer = scope.layer, .hidden = {}});
    found = earlier_.end() - 1;
  }
  const int length = scope.step.length();
  if (found->positions < length) {
    found->hidden = lengthened(scope.backend, found->hidden, found->positions,
                               {DType::f32, length, scope.hidden.cols});
    found->positions = length;
  }
  return *found;
}

Rows EsDllm::cut(CutScope& scope) {
  const int dim = scope.hidden.cols;
  const Earlier& at = earlier(scope);
  const Tensor stored = at.hidden.view(at.positions, dim, DType::f32);
  const std::vector<int> positions(scope.positions.begin(), scope.positions.end());
  if (scope.keep == scope.hidden.rows) {
    scope.backend.scatter(scope.hidden, Rows(positions), stored);
    return Rows(Range{0, scope.keep});
  }
  Rows kept = largest(scores(scope, stored), scope.keep);
  std::vector<int> kept_positions;
  for (const int row : kept) kept_positions.push_back(positions[static_cast<size_t>(row)]);
  const size_t bytes = dense_bytes(scope.keep, dim, DType::f32);
  if (moved_.bytes() < bytes) moved_ = scope.backend.allocate(bytes);
  const Tensor moved = moved_.view(scope.keep, dim, DType::f32);
  scope.backend.gather(scope.hidden, kept, moved);
  scope.backend.scatter(moved, Rows(std::move(kept_positions)), stored);
  return kept;
}

std::vector<float> EsDllm::scores(const CutScope& scope, Tensor earlier) const {
  const Step& step = scope.step;
  const std::span<const int> positions = scope.positions;
  std::vector<float> score(positions.size());
  scope.backend.row_changes(scope.hidden, earlier, Rows({positions.begin(), positions.end()}),
                            score);
  const float largest_change = std::max(1.0F, *std::ranges::max_element(score));
  const auto alpha = static_cast<float>(options_.alpha);
  std::vector<size_t> open;  // rows that decide masks
  std::vector<float> confidence;
  for (size_t i = 0; i < score.size(); ++i) {
    score[i] = (1 - alpha) * (score[i] / largest_change);
    if (std::ranges::count(step.last_decided, positions[i],
                           [this](int p) { return deciding_row(p); }) > 0) {
      score[i] += kJustDecided;
    }
    const std::optional<int> mask = decides(step, positions[i]);
    if (!mask) continue;
    open.push_back(i);
    confidence.push_back(step.confidence[static_cast<size_t>(*mask)]);
    score[i] += alpha * confidence.back() + (open.size() == 1 ? kLeftmost : 0);
  }
  const int surest = std::min(surest_rows(step), static_cast<int>(open.size()));
  for (const int i : largest(confidence, surest)) score[open[static_cast<size_t>(i)]] += kSurest;
  return score;
}

size_t EsDllm::state_bytes() const {
  size_t sum = moved_.bytes();
  for (const Earlier& e : earlier_) sum += e.hidden.bytes();
  return sum;
}

std::unique_ptr<Method> create_es_dllm(Options& options, const MethodContext& context) {
  EsDllmOptions o;
  // Of the released scripts: 16 and 8 are those of GSM8K.
  if (context.config.family == Family::dream) o.block_update = 8;
  o.alpha = options.number("alpha", o.alpha, 0, 1);
  o.block_update = options.count("block_update", o.block_update, 1, kLongerThanAny);
  o.prompt_update = options.count("prompt_update", o.prompt_update, 1, kLongerThanAny);
  auto& [first, second] = o.skips;
  first.at = options.number("first_at", first.at, 0, 1);
  first.keep = options.number("first_keep", first.keep, 0, 1);
  second.at = options.number("second_at", second.at, 0, 1);
  second.keep = options.number("second_keep", second.keep, 0, 1);
  if (second.at < first.at) {
    fail("[method] es-dllm: option 'second_at': found {}, expected at least first_at, {}",
         second.at, first.at);
  }
  return std::make_unique<EsDllm>(o, context.config);
}

}  // namespace unmask
