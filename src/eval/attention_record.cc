#include "eval/attention_record.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

namespace unmask {

namespace {

// SparseD's share of key blocks that are kept.
constexpr double kTopShare = 0.3;
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

int cells_over(int length, int unit) { return (length + unit - 1) / unit; }

/// The best key blocks of one query block, ascending.
std::vector<int> best(const AttentionGrid& grid, int query, int top) {
  std::vector<int> order(static_cast<size_t>(grid.cells));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return grid.at(query, a) > grid.at(query, b); });
  order.resize(static_cast<size_t>(std::min(top, grid.cells)));
  std::sort(order.begin(), order.end());
  return order;
}

/// Average of the values that there are; NaN stands for one that there is not.
class Average {
 public:
  void add(double value) {
    if (std::isnan(value)) return;
    sum_ += value;
    ++count_;
  }
  double value() const { return count_ > 0 ? sum_ / count_ : kNothing; }

 private:
  double sum_ = 0;
  int count_ = 0;
};

double agreement(const StepObservation& a, size_t head_a, const StepObservation& b, size_t head_b,
                 int top) {
  if (a.heads.empty() || b.heads.empty()) return kNothing;
  return agreement(a.heads[head_a].blocks, b.heads[head_b].blocks, top);
}

nlohmann::ordered_json rows_of(const AttentionGrid& grid) {
  auto rows = nlohmann::ordered_json::array();
  for (int q = 0; q < grid.cells; ++q) {
    if (!grid.computed(q)) {
      rows.push_back(nullptr);
      continue;
    }
    const auto first = grid.values.begin() + std::ptrdiff_t{q} * grid.cells;
    rows.push_back(std::vector<float>(first, first + grid.cells));
  }
  return rows;
}

nlohmann::ordered_json head_json(const HeadObservation& head) {
  nlohmann::ordered_json out{{"head", head.head}, {"block_scores", rows_of(head.blocks)}};
  out["chosen_blocks"] = nullptr;
  if (head.chosen) {
    out["chosen_blocks"] = {{"block_size", head.chosen->block_size},
                            {"key_size", head.chosen->key_size},
                            {"keys", head.chosen->lists}};
  }
  out["kept_positions"] = nullptr;
  if (head.kept) out["kept_positions"] = *head.kept;
  return out;
}

nlohmann::ordered_json step_json(const StepObservation& step) {
  if (step.heads.empty()) return {{"step", step.step}, {"computed", false}};
  auto heads = nlohmann::ordered_json::array();
  for (const HeadObservation& head : step.heads) heads.push_back(head_json(head));
  return {{"step", step.step},
          {"computed", true},
          {"block", {step.block.begin, step.block.end}},
          {"rows", step.rows},
          {"heads", heads}};
}

}  // namespace

bool AttentionGrid::computed(int query) const { return !std::isnan(at(query, 0)); }

GridMean::GridMean(int length, int unit, Of of)
    : length_(length),
      unit_(unit),
      of_(of),
      cells_(cells_over(length, unit)),
      sums_(static_cast<size_t>(cells_) * static_cast<size_t>(cells_)),
      queries_(static_cast<size_t>(cells_)) {}

void GridMean::add(int query, std::span<const int> positions,
                   std::span<const double> probabilities) {
  const int row = query / unit_;
  ++queries_[static_cast<size_t>(row)];
  double* sums = sums_.data() + std::ptrdiff_t{row} * cells_;
  for (size_t i = 0; i < positions.size(); ++i) sums[positions[i] / unit_] += probabilities[i];
}

AttentionGrid GridMean::mean() const {
  AttentionGrid grid{unit_, cells_, {}};
  for (int q = 0; q < cells_; ++q) {
    const int queries = queries_[static_cast<size_t>(q)];
    for (int k = 0; k < cells_; ++k) {
      const int keys = of_ == Of::pairs ? std::min(unit_, length_ - k * unit_) : 1;
      const double sum =
          sums_[static_cast<size_t>(q) * static_cast<size_t>(cells_) + static_cast<size_t>(k)];
      grid.values.push_back(static_cast<float>(queries > 0 ? sum / queries / keys : kNothing));
    }
  }
  return grid;
}

int AttentionRecord::top_blocks() const {
  return std::max(1, static_cast<int>(std::lround(score_blocks() * kTopShare)));
}

double agreement(const AttentionGrid& a, const AttentionGrid& b, int top) {
  Average shares;
  for (int q = 0; q < a.cells; ++q) {
    if (!a.computed(q) || !b.computed(q)) continue;
    const std::vector<int> of_a = best(a, q, top);
    const std::vector<int> of_b = best(b, q, top);
    std::vector<int> common;
    std::set_intersection(of_a.begin(), of_a.end(), of_b.begin(), of_b.end(),
                          std::back_inserter(common));
    shares.add(static_cast<double>(common.size()) / static_cast<double>(of_a.size()));
  }
  return shares.value();
}

std::vector<double> step_agreement(const AttentionRecord& record, size_t head) {
  std::vector<double> table;
  for (const StepObservation& a : record.steps) {
    for (const StepObservation& b : record.steps) {
      table.push_back(agreement(a, head, b, head, record.top_blocks()));
    }
  }
  return table;
}

MeanAgreement mean_agreement(const AttentionRecord& record) {
  const int top = record.top_blocks();
  Average steps;
  Average heads;
  for (size_t i = 0; i < record.steps.size(); ++i) {
    for (size_t h = 0; h < record.heads.size(); ++h) {
      for (size_t j = 0; j < i; ++j) {
        steps.add(agreement(record.steps[i], h, record.steps[j], h, top));
      }
      for (size_t g = 0; g < h; ++g) {
        heads.add(agreement(record.steps[i], h, record.steps[i], g, top));
      }
    }
  }
  return {steps.value(), heads.value()};
}

nlohmann::ordered_json to_json(const AttentionRecord& record) {
  auto steps = nlohmann::ordered_json::array();
  for (const StepObservation& step : record.steps) steps.push_back(step_json(step));
  auto tables = nlohmann::ordered_json::array();
  for (size_t h = 0; h < record.heads.size(); ++h) {
    tables.push_back({{"head", record.heads[h]}, {"between_steps", step_agreement(record, h)}});
  }
  const MeanAgreement mean = mean_agreement(record);
  return {{"model", record.model},
          {"method", record.method},
          {"layer", record.layer},
          {"canvas", record.length},
          {"prompt_tokens", record.prompt_length},
          {"block_size", record.score_block},
          {"steps", steps},
          {"agreement",
           {{"top_blocks", record.top_blocks()},
            {"of_blocks", record.score_blocks()},
            {"mean_between_steps", mean.steps},
            {"mean_between_heads", mean.heads},
            {"heads", tables}}}};
}

}  // namespace unmask
