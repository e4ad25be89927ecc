// Sparse-dLLM (arXiv 2508.02558): early in each block the keys outside it are scored by the block's
// mean query; a share of them is kept, the rest is evicted, and later steps compute the block only.
#pragma once

#include <memory>
#include <vector>

#include "methods/evicting_cache.h"
#include "methods/options.h"

namespace unmask {

struct SparseDllmOptions {
  double keep = 0.5;         // share of the scored positions that stays
  int kernel = 3;            // width of the max pooling over the scores, odd; 1: none
  bool random = false;       // keep random positions: the control of experiments
  uint64_t seed = 0;         // of these positions
  bool prefix_only = false;  // score only what stands before the block; keep all that follows it
  EvictionSteps steps{};
};

class SparseDllm final : public EvictingCache {
 public:
  /// Throws Error for an even kernel.
  explicit SparseDllm(const SparseDllmOptions& options);
  std::string_view name() const override { return "sparse-dllm"; }

 private:
  /// One score a position.
  std::vector<float> scores(const AttendScope& scope) const;
  std::vector<Rows> select(const AttendScope& scope) const override;

  SparseDllmOptions options_;
};

/// keep, kernel, delay, prefix_only, score.
std::unique_ptr<Method> create_sparse_dllm(Options& options, const MethodContext& context);

}  // namespace unmask
