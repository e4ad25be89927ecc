#include "methods/es_dllm_twin.h"

#include <algorithm>
#include <cmath>

namespace unmask::testing {

namespace {

using Hidden = std::map<int, PlainModel::Row>;

/// One generation. A row is named by its position, and decides the position `shift` further on.
class EsDllmTwin {
 public:
  EsDllmTwin(const PlainModel& model, const EsDllmTwinRequest& request)
      : model_(model), r_(request), cache_(model.empty_cache()) {}

  std::vector<std::vector<PlainChoice>> run() {
    std::vector<std::vector<PlainChoice>> steps;
    const auto length = static_cast<int>(r_.tokens.size());
    for (begin_ = r_.prompt_length; begin_ < length; begin_ = end_) {
      end_ = std::min(length, begin_ + r_.block_length);
      for (int step = 0; !open_rows().empty(); ++step) steps.push_back(take(step));
    }
    return steps;
  }

 private:
  bool masked(int p) const { return r_.tokens[static_cast<size_t>(p)] == model_.config().mask_id; }
  int shift() const { return model_.config().logit_shift; }
  /// Rows of the block that decide masks.
  std::vector<int> open_rows() const {
    std::vector<int> rows;
    for (int p = begin_; p < end_; ++p) {
      if (masked(p)) rows.push_back(p - shift());
    }
    return rows;
  }

  std::vector<PlainChoice> take(int in_block) {
    const int count = begin_ - r_.prompt_length + in_block;
    const bool first = count == 0;
    const bool prompt = count % r_.prompt_update == 0;
    const bool skips = !prompt && count % r_.block_update != 0;
    int from = begin_ - shift();
    if (in_block == 0) {
      for (const int row : just_decided_) from = std::min(from, row);
    }
    if (prompt) from = 0;
    const int to = first ? static_cast<int>(r_.tokens.size()) : end_ - shift();
    std::vector<int> rows;
    for (int p = from; p < to; ++p) rows.push_back(p);
    const auto fed = static_cast<int>(rows.size());
    const Hidden logits = model_.logits(rows, r_.tokens, cache_, [&](int layer, Hidden& hidden) {
      for (const EsDllmTwinRequest::Skip& skip : r_.skips) {
        if (skip.layer == layer) pass(layer, skips ? kept(skip.keep, fed) : fed, hidden);
      }
    });
    return decide(logits);
  }

  int kept(double share, int fed) const {
    const auto last = static_cast<int>(just_decided_.size());
    return std::max(static_cast<int>(std::floor(share * fed)), std::min(last + 2, end_ - begin_));
  }

  void pass(int layer, int keep, Hidden& hidden) {
    const Hidden& old = old_[layer];
    std::map<int, double> score;
    double largest = 1;
    for (const auto& [row, x] : hidden) {
      if (static_cast<int>(hidden.size()) <= keep) break;
      score[row] = change(x, old.at(row));
      largest = std::max(largest, score[row]);
    }
    const std::vector<int> open = open_rows();
    for (auto& [row, s] : score) {
      s = (1 - r_.alpha) * s / largest;
      if (std::count(just_decided_.begin(), just_decided_.end(), row) > 0) s += 3;
    }
    std::vector<int> surest;
    for (const int row : open) {
      if (!score.contains(row)) continue;
      score[row] += r_.alpha * confidence_[row];
      surest.push_back(row);
    }
    if (!surest.empty() && !score.empty()) score[surest[0]] += 5;
    std::stable_sort(surest.begin(), surest.end(),
                     [&](int a, int b) { return confidence_[a] > confidence_[b]; });
    for (size_t i = 0; i < std::min<size_t>(2, surest.size()); ++i) score[surest[i]] += 2;
    while (static_cast<int>(hidden.size()) > keep) {  // the last of the lowest goes first
      auto worst = score.begin();
      for (auto it = score.begin(); it != score.end(); ++it) {
        if (it->second <= worst->second) worst = it;
      }
      hidden.erase(worst->first);
      score.erase(worst);
    }
    for (const auto& [row, x] : hidden) old_[layer][row] = x;
  }

  static double change(const PlainModel::Row& x, const PlainModel::Row& old) {
    double distance = 0;
    double squares = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      distance += std::abs(x[i] - old[i]);
      squares += old[i] * old[i];
    }
    const auto n = static_cast<double>(x.size());
    return distance / n / (std::sqrt(squares) / std::sqrt(n) + 1e-6);
  }

  std::vector<PlainChoice> decide(const Hidden& logits) {
    std::vector<PlainChoice> read;
    for (const int row : open_rows()) {
      if (!logits.contains(row)) continue;
      read.push_back(best_of(row + shift(), logits.at(row), model_.config().mask_id));
      confidence_[row] = read.back().probability;
    }
    const auto best = std::max_element(read.begin(), read.end(), [](const auto& a, const auto& b) {
      return a.probability < b.probability;
    });
    std::vector<PlainChoice> decided;
    just_decided_.clear();
    for (auto it = read.begin(); it != read.end(); ++it) {
      if (it != best && it->probability < r_.threshold) continue;
      decided.push_back(*it);
      just_decided_.push_back(it->position - shift());
      r_.tokens[static_cast<size_t>(it->position)] = it->token;
    }
    return decided;
  }

  const PlainModel& model_;
  EsDllmTwinRequest r_;
  PlainModel::Cache cache_;
  int begin_ = 0;  // of the block
  int end_ = 0;
  std::map<int, double> confidence_;  // by row
  std::vector<int> just_decided_;     // rows
  std::map<int, Hidden> old_;         // by layer
};

}  // namespace

std::vector<std::vector<PlainChoice>> es_dllm_twin(const PlainModel& model,
                                                   EsDllmTwinRequest request) {
  return EsDllmTwin(model, request).run();
}

}  // namespace unmask::testing
