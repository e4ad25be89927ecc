// What ranks that split columns would give each other: results when they are computed, inputs of
// products when these take them (kernels/input_form.h).
#pragma once

#include <algorithm>

#include "kernels/counting/backend.h"
#include "kernels/input_form.h"
#include "ranks/counted_ranks.h"
#include "ranks/split_columns.h"

namespace unmask {

class CountedExchanges {
 public:
  explicit CountedExchanges(int ranks) : ranks_(0, ranks), columns_(ranks_) {}

  int ranks() const { return ranks_.size(); }
  /// A matrix whose columns stay in parts until a product takes it.
  void leave(const CutColumns& part) { columns_.mark(part); }
  void forget(const void* data, size_t bytes) { columns_.forget(data, bytes); }

  /// A product takes x in a form.
  void take(Tensor x, InputForm form, WorkCount& count) const {
    if (const auto cut = columns_.cut(x)) take(x.rows, *cut, x.dtype, form, count);
  }
  void take(int rows, const Cut& cut, DType type, InputForm form, WorkCount& count) const {
    const InputExchange exchange = input_exchange(form, cut, type);
    give(static_cast<double>(rows * exchange.row_bytes), exchange.gathers, count);
  }
  /// Results that are gathered together.
  void give(double bytes, int gathers, WorkCount& count) const {
    if (ranks() == 1 || bytes == 0) return;
    count.result_bytes += bytes;
    count.largest_results = std::max(count.largest_results, bytes);
    count.exchanges += gathers;
  }

 private:
  CountedRanks ranks_;
  SplitColumns columns_;
};

}  // namespace unmask
