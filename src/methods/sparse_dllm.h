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

/// One score for each of `keys` [positions, n_kv_heads * head_dim] by the queries `q` of a block.
std::vector<float> position_scores(const AttendScope& scope, Tensor q, Tensor keys,
                                   const SparseDllmOptions& options);

class SparseDllm final : public EvictingCache {
 public:
  explicit SparseDllm(const SparseDllmOptions& options)
      : EvictingCache(options.steps), options_(options) {}
  std::string_view name() const override { return "sparse-dllm"; }

 private:
  std::vector<Rows> select(const AttendScope& scope, const PresentKeys& present) const override;

  SparseDllmOptions options_;
};

/// keep, kernel, delay, prefix_only, score. Throws Error for an even kernel.
SparseDllmOptions read_sparse_dllm(Options& options, const MethodContext& context);
std::unique_ptr<Method> create_sparse_dllm(Options& options, const MethodContext& context);

}  // namespace unmask
