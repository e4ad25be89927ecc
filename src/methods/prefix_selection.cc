#include "methods/prefix_selection.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "kernels/block_pattern.h"
#include "methods/selection.h"
#include "methods/sparse_dllm.h"
#include "methods/tail_cache.h"

namespace unmask {

StepPlan PrefixSelection::plan_step(const Step& step) {
  if (step.in_block == 0) selected_ = false;
  StepPlan plan = cache_->plan_step(step);
  if (plan.rows.empty()) return plan;
  // A mask in the prompt that was decided lets the prefix grow in the midst of a block.
  if (std::exchange(prefix_, cache_->planned_final()) != cache_->planned_final()) selected_ = false;
  pass_ = selected_ ? Pass::selected : Pass::whole;
  // A pass that commits the block before may leave this one out.
  const bool computes_block = plan.rows[plan.rows.size() - 1] >= step.block.end - 1 && prefix_ > 0;
  if (!selected_ && step.in_block >= options_.delay && computes_block) {
    pass_ = Pass::selecting;
    plan.queries = {prefix_, step.length()};
    selected_ = true;
  }
  return plan;
}

void PrefixSelection::select(AttendScope& scope, const KvView& all) {
  const auto layer = static_cast<size_t>(scope.layer);
  if (kept_.size() <= layer) {
    kept_.resize(layer + 1);
    lists_.resize(layer + 1);
  }
  const auto first = std::ranges::lower_bound(scope.query_positions, prefix_);
  const Range block{static_cast<int>(first - scope.query_positions.begin()), scope.q.rows};
  const Range seen{0, scope.positions.back() + 1};
  lists_[layer] = options_.select(scope, block, all.k.slice(seen), prefix_);
  keep_slots(scope.backend, all, lists_[layer], seen.end - prefix_, kept_[layer]);
}

Attention PrefixSelection::attend(AttendScope& scope) {
  if (pass_ != Pass::selected) {
    const Attention whole = cache_->attend(scope);
    if (pass_ == Pass::selecting) select(scope, whole.kv);
    return whole;
  }
  // A row before the block, which predicts its first position, has exact keys and values already.
  const auto layer = static_cast<size_t>(scope.layer);
  const int kept = lists_[layer][0].size();
  const auto first = std::lower_bound(scope.positions.begin(), scope.positions.end(), prefix_);
  const Range fresh{static_cast<int>(first - scope.positions.begin()), scope.k.rows};
  const Rows slots(Range{kept, kept + fresh.size()});
  return {.kv = kept_[layer].put(scope.backend, slots, scope.k.slice(fresh), scope.v.slice(fresh)),
          .left_out = prefix_ - kept};
}

size_t PrefixSelection::state_bytes() const {
  return std::accumulate(kept_.begin(), kept_.end(), size_t{0},
                         [](size_t sum, const KvStore& store) { return sum + store.bytes(); });
}

std::vector<int> PrefixSelection::slot_positions(const AttendScope& scope, int kv_head) const {
  if (pass_ != Pass::selected) return cache_->slot_positions(scope, kv_head);
  const std::vector<Rows>& lists = lists_[static_cast<size_t>(scope.layer)];
  const Rows& kept = lists[lists.size() == 1 ? 0 : static_cast<size_t>(kv_head)];
  std::vector<int> positions(kept.begin(), kept.end());
  for (int p = prefix_; p <= scope.positions.back(); ++p) positions.push_back(p);
  return positions;
}

namespace {

/// Sparse-dLLM's score, of the positions before the block alone.
SelectPrefix by_mean_query(const SparseDllmOptions& options) {
  return [options](const AttendScope& scope, Range rows, Tensor keys, int prefix) {
    std::vector<float> scores = position_scores(scope, scope.q.slice(rows), keys, options);
    scores.resize(static_cast<size_t>(prefix));
    const int keep = static_cast<int>(prefix * options.keep);
    return std::vector{largest(max_pool(scores, options.kernel), keep)};
  };
}

/// SparseD's question with the blocks of keys of each key head: the largest shares of attention
/// that the block pays to whole blocks. What follows the last whole one always stays.
SelectPrefix by_block_mass(int block, double share) {
  return [=](const AttendScope& scope, Range rows, Tensor keys, int prefix) {
    const auto heads = static_cast<size_t>(scope.shape.n_kv_heads);
    std::vector<float> mass(heads * static_cast<size_t>(keys.rows));
    scope.backend.attention_mass(scope.q, Rows(rows), keys, scope.shape, mass);
    const int blocks = prefix / block;
    const int keep = static_cast<int>(std::ceil(blocks * share));
    std::vector<Rows> lists;
    for (size_t h = 0; h < heads; ++h) {
      const auto* of_head = mass.data() + h * static_cast<size_t>(keys.rows);
      std::vector<float> sums(static_cast<size_t>(blocks));
      for (int b = 0; b < blocks; ++b) {
        sums[static_cast<size_t>(b)] =
            std::accumulate(of_head + b * block, of_head + (b + 1) * block, 0.0F);
      }
      std::vector<int> positions;
      for (const int b : largest(sums, keep)) {
        for (int p = b * block; p < (b + 1) * block; ++p) positions.push_back(p);
      }
      for (int p = blocks * block; p < prefix; ++p) positions.push_back(p);
      lists.emplace_back(std::move(positions));
    }
    return lists;
  };
}

/// The positions right before the block, and the first ones.
SelectPrefix by_position(int window, int sinks) {
  return [=](const AttendScope&, Range, Tensor, int prefix) {
    std::vector<int> positions;
    for (int p = 0; p < prefix; ++p) {
      if (p < sinks || p >= prefix - window) positions.push_back(p);
    }
    return std::vector{Rows(std::move(positions))};
  };
}

std::unique_ptr<Method> create(std::string_view name, int delay, SelectPrefix select,
                               const MethodContext& context) {
  auto cache = std::make_unique<PrefixCache>(context.config.visibility,
                                             prefix_cache_options(context.config));
  return std::make_unique<PrefixSelection>(
      std::move(cache),
      PrefixSelectionOptions{.name = name, .delay = delay, .select = std::move(select)});
}

int read_delay(Options& options) { return options.count("delay", 0, 0, kLongerThanAny); }

}  // namespace

std::unique_ptr<Method> create_prefix_sparse_dllm(Options& options, const MethodContext& context) {
  const SparseDllmOptions read = read_sparse_dllm(options, context);
  return create("sparse-dllm", read.steps.delay, by_mean_query(read), context);
}

std::unique_ptr<Method> create_prefix_sparsed(Options& options, const MethodContext& context) {
  const int block = options.count("block", 32, 1, kLongerThanAny);
  const double share = options.number("select", BlockSelection().select, 0, 1);
  return create("sparsed", read_delay(options), by_block_mass(block, share), context);
}

std::unique_ptr<Method> create_prefix_window(Options& options, const MethodContext& context) {
  const int window = options.count("window", 256, 1, kLongerThanAny);
  return create("sliding-window", read_delay(options), by_position(window, 0), context);
}

std::unique_ptr<Method> create_prefix_streaming(Options& options, const MethodContext& context) {
  const int window = options.count("window", 256, 1, kLongerThanAny);
  const int sinks = options.count("sinks", 4, 0, kLongerThanAny);
  return create("streaming-llm", read_delay(options), by_position(window, sinks), context);
}

}  // namespace unmask
