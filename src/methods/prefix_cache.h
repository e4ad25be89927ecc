// The exact prefix cache of block-causal models: the keys and values of a block without masks never
// change again, so later steps read them and compute only what follows.
#pragma once

#include <memory>

#include "methods/options.h"
#include "methods/position_cache.h"

namespace unmask {

class PrefixCache final : public PositionCache {
 public:
  /// `logit_shift`: 1 where row p - 1 predicts position p, which is then computed with p.
  PrefixCache(const Visibility& visibility, int logit_shift)
      : visibility_(visibility), logit_shift_(logit_shift) {}

  std::string_view name() const override { return "block-cache"; }
  bool supports(const Visibility& visibility) const override {
    return visibility.is_block_causal();
  }
  bool allows_growth() const override { return true; }
  /// From the first position that is not final to the last one that the block sees; no rows in a
  /// step that has nothing to decide.
  StepPlan plan_step(const Step& step) override;
  Attention attend(AttendScope& scope) override;

 private:
  Visibility visibility_;
  int logit_shift_;
  int final_ = 0;    // positions whose stored keys and values never change again
  int planned_ = 0;  // the same once the planned pass has been computed
};

std::unique_ptr<Method> create_prefix_cache(Options& options, const MethodContext& context);

}  // namespace unmask
