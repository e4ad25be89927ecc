// dKV-Cache (arXiv 2505.15781): keys and values of a position change most in the step that decides
// it, so they are taken from the cache only one step later, and all of them are refreshed at
// intervals.
#pragma once

#include <memory>
#include <vector>

#include "methods/options.h"
#include "methods/position_cache.h"

namespace unmask {

enum class DkvVariant : uint8_t {
  decode,   // LLaDA: computes what is not decided; everything in the first two steps of a block
  greedy,   // LLaDA, random order: computes what is decided before, now, and near to it
  decoded,  // Dream: computes the rows whose target is not decided
  prefill,  // Dream: the prompt is computed once, the rest in every step
  pd        // Dream: the prompt is computed once, the rest as in `decoded`
};

struct DkvCacheOptions {
  DkvVariant variant = DkvVariant::decode;
  int refresh = 8;        // steps between two full passes; of a block for LLaDA
  int window = 4;         // greedy: masks around each position that is decided now
  bool un_right = false;  // Dream: the own token of a row must be decided too
};

class DkvCache final : public PositionCache {
 public:
  explicit DkvCache(const DkvCacheOptions& options) : options_(options) {}
  std::string_view name() const override { return "dkv-cache"; }
  bool needs_order() const override { return options_.variant == DkvVariant::greedy; }

  StepPlan plan_step(const Step& step) override;

 private:
  bool refreshes(const Step& step) const;
  std::vector<bool> wanted(const Step& step) const;
  std::vector<bool> near_decisions(const Step& step) const;
  /// Whether a row's keys and values have settled, by the tokens before the previous step.
  bool settled(const Step& step, int row) const;

  DkvCacheOptions options_;
  std::vector<bool> decided_;  // positions, before the previous step
  int known_ = 0;              // positions that were computed at some time
};

/// variant; where the variant has them refresh, window, shift.
std::unique_ptr<Method> create_dkv_cache(Options& options, const MethodContext& context);

}  // namespace unmask
