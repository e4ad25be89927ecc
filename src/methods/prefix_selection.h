// Published methods on block-causal models, where the finished blocks are an exact cache already:
// what is left to them is which of its positions the steps of a block look at. Experimental: no
// paper measured this.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "methods/options.h"
#include "methods/prefix_cache.h"

namespace unmask {

/// Ascending positions before `prefix` that a block goes on seeing: one list for all key heads, or
/// one for each and all of a length. `rows` of scope.q are the block's; `keys` are those of all
/// positions that it sees, [positions, n_kv_heads * head_dim].
using SelectPrefix =
    std::function<std::vector<Rows>(const AttendScope& scope, Range rows, Tensor keys, int prefix)>;

struct PrefixSelectionOptions {
  std::string_view name;
  int delay = 0;  // step of a block that selects; steps up to it see everything
  SelectPrefix select;
};

class PrefixSelection final : public Method {
 public:
  PrefixSelection(std::unique_ptr<PrefixCache> cache, PrefixSelectionOptions options)
      : cache_(std::move(cache)), options_(std::move(options)) {}

  std::string_view name() const override { return options_.name; }
  bool supports(const Visibility& visibility) const override {
    return cache_->supports(visibility);
  }
  std::optional<int> reusable() const override { return cache_->reusable(); }
  void resume(int positions) override { cache_->resume(positions); }
  /// The rows of the prefix cache. The pass that finishes a block belongs to the next one and sees
  /// everything, so what is cached stays exact for the tokens that were decided.
  StepPlan plan_step(const Step& step) override;
  Attention attend(AttendScope& scope) override;
  size_t state_bytes() const override;
  std::vector<int> slot_positions(const AttendScope& scope, int kv_head) const override;

 private:
  enum class Pass : uint8_t { whole, selecting, selected };
  void select(AttendScope& scope, const KvView& all);

  std::unique_ptr<PrefixCache> cache_;
  PrefixSelectionOptions options_;
  Pass pass_ = Pass::whole;               // of the planned step
  bool selected_ = false;                 // in this block
  int prefix_ = 0;                        // positions before the block
  std::vector<KvStore> kept_;             // of each layer: the selected slots, then the block's
  std::vector<std::vector<Rows>> lists_;  // of each layer, as selected
};

/// keep, kernel, delay, score; scores only stand before the block, so prefix_only changes nothing.
std::unique_ptr<Method> create_prefix_sparse_dllm(Options& options, const MethodContext& context);
/// block, select, delay.
std::unique_ptr<Method> create_prefix_sparsed(Options& options, const MethodContext& context);
/// window, delay.
std::unique_ptr<Method> create_prefix_window(Options& options, const MethodContext& context);
/// window, sinks, delay.
std::unique_ptr<Method> create_prefix_streaming(Options& options, const MethodContext& context);

}  // namespace unmask
