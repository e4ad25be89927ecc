// Fast-dLLM (arXiv 2505.22618): everything is computed when a block begins; later steps compute the
// block and what follows it (prefix cache) or the block alone (dual cache). Options compute less
// when a block begins (refresh_rows.h).
#pragma once

#include <memory>

#include "methods/options.h"
#include "methods/position_cache.h"
#include "methods/refresh_rows.h"

namespace unmask {

struct FastDllmOptions {
  bool dual = false;
  bool first_alone = false;  // as in methods/evicting_cache.h
  RefreshOptions refresh{};
};

class FastDllm final : public PositionCache {
 public:
  explicit FastDllm(const FastDllmOptions& options)
      : options_(options), refresh_(options.refresh, options.first_alone) {}
  std::string_view name() const override { return "fast-dllm"; }
  int fewest_steps() const override { return options_.first_alone ? 2 : 1; }

  StepPlan plan_step(const Step& step) override;

 private:
  FastDllmOptions options_;
  RefreshRows refresh_;
};

/// cache and the options of refresh_rows.h.
std::unique_ptr<Method> create_fast_dllm(Options& options, const MethodContext& context);

}  // namespace unmask
