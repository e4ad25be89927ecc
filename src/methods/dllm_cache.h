// dLLM-Cache (arXiv 2506.06295): every layer remembers keys, values and the outputs of its two
// sublayers; the prompt is refreshed at long intervals, the response at short ones, and in between
// only the response rows whose value vectors moved most.
#pragma once

#include <memory>
#include <vector>

#include "methods/options.h"
#include "methods/position_cache.h"

namespace unmask {

struct DllmCacheOptions {
  int prompt_interval = 50;  // steps, counted over the whole generation
  int gen_interval = 7;
  double transfer = 0.25;  // share of the response computed between its refreshes
};

class DllmCache final : public PositionCache {
 public:
  explicit DllmCache(const DllmCacheOptions& options) : options_(options) {}
  std::string_view name() const override { return "dllm-cache"; }

  /// All positions, always: what is saved is saved in the layers.
  StepPlan plan_step(const Step& step) override { return {.rows = Rows(step.all())}; }
  LayerPlan plan_layer(LayerScope& scope) override;
  Attention attend(AttendScope& scope) override;
  size_t state_bytes() const override;

 private:
  struct Outputs {
    Buffer attention, feed_forward;  // [length, dim]
  };
  /// The outputs of a layer, with room for a canvas that has grown.
  Outputs& outputs_of(const LayerScope& scope);
  Rows moved(LayerScope& scope) const;

  DllmCacheOptions options_;
  std::vector<Outputs> outputs_;  // of layers 1, 2, ...
};

/// prompt_interval, gen_interval, transfer.
std::unique_ptr<Method> create_dllm_cache(Options& options, const MethodContext& context);

}  // namespace unmask
