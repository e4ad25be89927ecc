#include "methods/streaming_dllm_twin.h"

#include <algorithm>

namespace unmask::testing {

std::vector<TokenId> streaming_dllm_twin(const PlainModel& model, StreamingTwinRequest r) {
  const TokenId mask = model.config().mask_id;
  const int shift = model.config().logit_shift;
  const auto length = static_cast<int>(r.tokens.size());
  const auto masked = [&](int p) { return r.tokens[static_cast<size_t>(p)] == mask; };
  for (int begin = r.prompt_length; begin < length; begin += r.block_length) {
    const int end = begin + r.block_length;
    // What a pass computes behind its first row: the block, the window and the last position.
    std::vector<int> tail;
    for (int p = begin; p < std::min(length, end + r.window); ++p) tail.push_back(p);
    if (tail.back() != length - 1) tail.push_back(length - 1);
    PlainModel::Cache cache = model.empty_cache();
    for (bool first = true;; first = false) {
      std::vector<int> masks;
      for (int p = begin; p < end; ++p) {
        if (masked(p)) masks.push_back(p);
      }
      if (masks.empty()) break;
      std::vector<int> rows = tail;
      double threshold = r.threshold;
      if (first) {
        for (int p = begin - 1; p >= 0; --p) rows.insert(rows.begin(), p);
      } else {
        const auto left = std::count_if(tail.begin(), tail.end(), masked);
        const double share = static_cast<double>(left) / static_cast<double>(tail.size());
        threshold *= 1 - r.alpha * (1 - share);
      }
      const auto logits = model.logits(rows, r.tokens, cache);
      // Where a row predicts its right neighbour, later passes lack the first position's row.
      if (first && shift > 0) masks = {begin};
      std::vector<PlainChoice> sure;
      for (const int p : masks) {
        sure.push_back(best_of(p, logits.at(std::max(0, p - shift)), mask));
      }
      const auto surest = *std::max_element(
          sure.begin(), sure.end(),
          [](const PlainChoice& a, const PlainChoice& b) { return a.probability < b.probability; });
      for (const PlainChoice& b : sure) {
        const bool decided = b.probability >= threshold || b.position == surest.position;
        if (decided) r.tokens[static_cast<size_t>(b.position)] = b.token;
      }
    }
    for (int p = r.prompt_length; p < end; ++p) {
      const TokenId token = r.tokens[static_cast<size_t>(p)];
      if (std::find(r.ends.begin(), r.ends.end(), token) == r.ends.end()) continue;
      std::replace(r.tokens.begin(), r.tokens.end(), mask, token);
      return r.tokens;
    }
  }
  return r.tokens;
}

}  // namespace unmask::testing
