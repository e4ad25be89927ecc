// Fast-dLLM (arXiv 2505.22618): everything is computed when a block begins; later steps compute the
// block and what follows it (prefix cache) or the block alone (dual cache). Options compute less
// when a block begins (refresh_rows.h), and the prompt ahead of the first one, chunk by chunk
// (prompt_chunk, after Prefilling-dLLM, arXiv 2606.10537): a chunk sees itself and what is before
// it, so its keys and values follow from the tokens up to its end and other requests may have them.
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
  bool takes_drafts() const override { return true; }
  std::optional<int> reusable() const override;
  int reusable_block() const override { return options_.refresh.prompt_chunk; }
  void resume(int positions) override;

  StepPlan plan_step(const Step& step) override;

 private:
  /// Of the prompt, the chunk that is computed next, before the first step; empty: none is left.
  Range next_chunk(const Step& step) const;

  FastDllmOptions options_;
  int prepared_ = 0;      // positions of the prompt in computed chunks
  bool begun_ = false;    // a first step was planned
  bool renewed_ = false;  // a pass has computed prepared positions once more
  RefreshRows refresh_;
};

/// cache, prompt_chunk and the options of refresh_rows.h.
std::unique_ptr<Method> create_fast_dllm(Options& options, const MethodContext& context);

}  // namespace unmask
