// The exact prefix cache of block-causal models: the keys and values of a finished block never
// change again, so later steps read them and compute only what follows. The pass that would commit
// a block is the first one of the next block.
#pragma once

#include <memory>

#include "methods/options.h"
#include "methods/position_cache.h"

namespace unmask {

struct PrefixCacheOptions {
  int logit_shift = 0;  // 1 where row p - 1 predicts position p, which is then computed with p
  /// The first position of a block gets its token from the pass that commits the block before, and
  /// nothing else is decided there (Fast-dLLM v2).
  bool first_alone = false;
  /// > 0: blocks consist of parts of so many positions, denoised one after the other. Steps compute
  /// a part alone, and see the keys and values that a pass over the whole block left for the
  /// others; only a part whose first position is masked begins with such a pass (Fast-dLLM v2).
  int sub_block = 0;
};

class PrefixCache final : public PositionCache {
 public:
  PrefixCache(const Visibility& visibility, const PrefixCacheOptions& options)
      : visibility_(visibility), options_(options) {}

  std::string_view name() const override { return "block-cache"; }
  bool supports(const Visibility& visibility) const override {
    return visibility.is_block_causal();
  }
  /// With parts, what a step leaves is read by the steps of other parts.
  bool takes_drafts() const override { return options_.sub_block == 0; }
  std::optional<int> reusable() const override { return final_; }
  void resume(int positions) override { final_ = planned_ = known_ = positions; }
  /// From the first position that is not final to the last one that the block sees; no rows in a
  /// step that has nothing to decide.
  StepPlan plan_step(const Step& step) override;
  Attention attend(AttendScope& scope) override;
  /// Positions whose keys and values never change again once the planned pass has been computed.
  int planned_final() const { return planned_; }
  /// Those that have been computed; the slots behind them are empty.
  std::vector<int> slot_positions(const AttendScope& scope, int kv_head) const override;

 private:
  /// Positions before `step.block` whose blocks are complete and hold no mask, from final_ on.
  int count_final(const Step& step, const Visibility& visibility) const;

  Visibility visibility_;
  PrefixCacheOptions options_;
  int final_ = 0;    // positions whose stored keys and values never change again
  int planned_ = 0;  // the same once the planned pass has been computed
  int known_ = 0;    // positions that have keys and values
  int whole_ = 0;    // end of the block that a pass has computed as a whole
};

/// What the model asks of its cache.
PrefixCacheOptions prefix_cache_options(const ModelConfig& config);

/// sub_block.
std::unique_ptr<Method> create_prefix_cache(Options& options, const MethodContext& context);

}  // namespace unmask
