#include "session/cluster_plan.h"

#include <algorithm>

namespace unmask {

namespace {

constexpr int kPlannedBlock = 32;  // of models that leave it open, as in presets

/// Of the largest of `ranks` shares of `n`.
double largest_share(int n, int ranks) {
  const int most = (n + ranks - 1) / ranks;
  return static_cast<double>(most) / n;
}

/// A ring: what a rank has passes all others, one after the other.
double waiting(const SharedPass& pass, const Cluster& c) {
  return static_cast<double>(pass.gathers) * (c.ranks - 1) * c.latency +
         static_cast<double>(pass.received) / c.network;
}

/// What comes while attention computes with the heads that came before: all turns of a layer but
/// the first, as long as the attention of all but the last takes.
double hidden(const SharedPass& pass, const WorkCount& work, const Cluster& c, int layers) {
  const auto turns = static_cast<double>(std::max<int64_t>(1, pass.gathers / layers));
  const double coming = static_cast<double>(pass.received) / c.network;
  return std::min(coming, work.attention_operations / c.rates.attention) * (turns - 1) / turns;
}

class Way {
 public:
  Way(Sharing sharing, const Cluster& cluster, const ModelConfig& config)
      : sharing_(sharing), cluster_(cluster), config_(config) {}

  SharedWork plan(const Explanation& plan) const {
    SharedWork work{.sharing = sharing_,
                    .memory = memory(plan),
                    .full = pass(plan.steps.front()),
                    .cached = pass(plan.steps.back())};
    for (const PlannedStep& step : plan.steps) work.block_seconds += pass(step).seconds();
    return work;
  }

 private:
  bool columns() const { return sharing_ == Sharing::columns; }

  int64_t memory(const Explanation& plan) const {
    if (!columns()) return static_cast<int64_t>(plan.peak_bytes());
    return static_cast<int64_t>(plan.weight_bytes / static_cast<size_t>(cluster_.ranks) +
                                plan.request_bytes);
  }

  SharedPass pass(const PlannedStep& step) const {
    SharedPass pass{
        .rows = step.rows, .received = step.received.bytes, .gathers = step.received.gathers};
    WorkCount work = step.work;
    if (columns()) {
      const double others = (cluster_.ranks - 1.0) / cluster_.ranks;
      pass.received = static_cast<int64_t>(work.result_bytes * others);
      pass.gathers = work.exchanges;
      work.product_operations /= cluster_.ranks;
      work.weight_bytes /= cluster_.ranks;
      work.attention_operations *= largest_share(config_.n_kv_heads, cluster_.ranks);
    }
    pass.computing = roofline_seconds(work, cluster_.rates);
    pass.waiting = waiting(pass, cluster_);
    if (sharing_ == Sharing::rows) {
      pass.waiting -= hidden(pass, work, cluster_, config_.n_layers);
    }
    return pass;
  }

  Sharing sharing_;
  const Cluster& cluster_;
  const ModelConfig& config_;
};

}  // namespace

std::string_view sharing_name(Sharing sharing) {
  switch (sharing) {
    case Sharing::prompts: return "prompts";
    case Sharing::rows: return "rows";
    case Sharing::columns: return "columns";
  }
  UNMASK_CHECK(false, "a way of sharing");
}

const SharedWork* ClusterPlan::for_many_prompts(int64_t memory) const {
  if (ways.front().memory <= memory) return ways.data();  // no other wastes as little
  return for_one_prompt(memory);
}

const SharedWork* ClusterPlan::for_one_prompt(int64_t memory) const {
  const SharedWork* best = nullptr;
  for (const SharedWork& way : ways) {
    if (way.memory > memory) continue;
    if (best == nullptr || way.block_seconds < best->block_seconds) best = &way;
  }
  return best;
}

Request block_request(const ModelConfig& config, int context) {
  const bool causal = config.visibility.is_block_causal();
  const int block = causal ? config.visibility.block : kPlannedBlock;
  if (context < 2 * block) {
    fail("[plan] context: found {}, expected at least {}, two blocks", context, 2 * block);
  }
  const std::vector<TokenId> prompt(static_cast<size_t>(context - block), 0);
  Request request = append_masks(prompt, block, config.mask_id);
  request.method = causal ? "block-cache" : "fast-dllm:cache=dual";
  request.block_length = block;
  request.steps = block;
  return request;
}

ClusterPlan plan_cluster(const Costs& costs, const Request& request, const Cluster& cluster) {
  const Explanation alone = costs.explain(request);
  const Explanation rows = costs.explain_rows(request, cluster.ranks);
  const Explanation columns = costs.on_ranks(cluster.ranks).explain(request);
  const auto plan = [&](Sharing sharing, const Explanation& explanation) {
    return Way(sharing, cluster, costs.config()).plan(explanation);
  };
  return {
      static_cast<int>(request.tokens.size()),
      {plan(Sharing::prompts, alone), plan(Sharing::rows, rows), plan(Sharing::columns, columns)}};
}

}  // namespace unmask
