// Flash-Cache (arXiv 2609.26796): after the first pass nothing is ever computed whole again. A step
// computes the masks that are to be decided next, the masks behind them, and of the decided
// positions the newest and those that the masks attend to most.
#pragma once

#include <memory>
#include <vector>

#include "methods/options.h"
#include "methods/position_cache.h"

namespace unmask {

struct FlashCacheOptions {
  int active = 16;   // masks that a step may decide
  int masks = 64;    // that are computed, these included
  int decided = 64;  // decided positions that are computed
};

class FlashCache final : public PositionCache {
 public:
  FlashCache(const FlashCacheOptions& options, const ModelConfig& config)
      : options_(options), shift_(config.logit_shift) {}
  std::string_view name() const override { return "flash-cache"; }
  bool leaves_masks_out() const override { return true; }

  StepPlan plan_step(const Step& step) override;
  Attention attend(AttendScope& scope) override;
  size_t state_bytes() const override { return asking_.bytes(); }

 private:
  int deciding_row(int position) const;
  /// Masks in the order in which they are computed: those of the last step by falling confidence,
  /// then the others by position.
  std::vector<int> order_masks(const Step& step) const;
  /// Decided positions that are computed.
  std::vector<int> recompute(const Step& step) const;
  void score(const AttendScope& scope, Tensor keys);

  FlashCacheOptions options_;
  int shift_;
  int known_ = 0;              // positions that were computed
  std::vector<int> active_;    // masks that the planned step may decide, ascending
  std::vector<double> score_;  // by position: attention in the last pass
  Buffer asking_;              // queries of the active masks
};

/// active, masks, decided. Throws Error where fewer masks are computed than may be decided.
std::unique_ptr<Method> create_flash_cache(Options& options, const MethodContext& context);

}  // namespace unmask
