// Sparse-dLLM (arXiv 2508.02558): early in each block the keys outside it are scored by the block's
// mean query; a share of them is kept, the rest is evicted, and later steps compute the block alone
// over what was kept.
#pragma once

#include <memory>
#include <vector>

#include "methods/options.h"
#include "model/method.h"

namespace unmask {

struct SparseDllmOptions {
  double keep = 0.5;         // share of the scored positions that stays
  int kernel = 3;            // width of the max pooling over the scores, odd; 1: none
  int delay = 1;             // step of the block that builds the cache
  bool random = false;       // keep positions by lot: the control of experiments
  bool prefix_only = false;  // score only what stands before the block; keep all that follows it
  bool first_alone = false;  // step 0 decides only the first position of the block: its row is not
                             // computed afterwards where row p - 1 predicts p
};

class SparseDllm final : public Method {
 public:
  /// Throws Error for an even kernel.
  explicit SparseDllm(const SparseDllmOptions& options);
  std::string_view name() const override { return "sparse-dllm"; }

  StepPlan plan_step(const Step& step) override;
  Attention attend(AttendScope& scope) override;
  std::vector<int> slot_positions(const AttendScope& scope, int kv_head) const override;

  /// Positions outside the block that a layer kept last, ascending.
  const Rows& kept(int layer) const { return kept_[static_cast<size_t>(layer)]; }

 private:
  /// One score a position.
  std::vector<float> scores(const AttendScope& scope) const;
  Rows select(const AttendScope& scope) const;
  void build(AttendScope& scope);

  SparseDllmOptions options_;
  std::vector<Rows> kept_;  // one a layer
};

/// keep, kernel, delay, prefix_only, score.
std::unique_ptr<Method> create_sparse_dllm(Options& options, const MethodContext& context);

}  // namespace unmask
