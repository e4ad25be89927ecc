// Streaming-dLLM (arXiv 2601.17917): far masks are left out of the canvas, the prefix is cached for
// the length of a block, the threshold sinks while a block fills up, and a text that has ended is
// not continued.
#pragma once

#include <memory>
#include <vector>

#include "methods/carried_slots.h"
#include "methods/options.h"
#include "methods/refresh_rows.h"
#include "model/method.h"

namespace unmask {

struct StreamingDllmOptions {
  int window = 128;          // masks behind the block that are computed with it
  double alpha = 0.3;        // how much the threshold sinks while a block fills up
  bool first_alone = false;  // as in methods/evicting_cache.h
  RefreshOptions refresh{};  // of what stands before the block; the rest is computed in every step
};

class StreamingDllm final : public Method {
 public:
  explicit StreamingDllm(const StreamingDllmOptions& options)
      : options_(options), refresh_(options.refresh, options.first_alone) {}
  std::string_view name() const override { return "streaming-dllm"; }
  bool stops_after_end() const override { return true; }
  int fewest_steps() const override { return options_.first_alone ? 2 : 1; }
  bool takes_drafts() const override { return true; }

  StepPlan plan_step(const Step& step) override;
  Attention attend(AttendScope& scope) override;
  std::vector<int> slot_positions(const AttendScope& scope, int kv_head) const override;

 private:
  /// Positions that the block sees, from `begin` on: up to the window's end, and the last one.
  std::vector<int> seen(const Step& step, int begin) const;

  StreamingDllmOptions options_;
  RefreshRows refresh_;
  std::vector<int> slots_;             // positions that the block sees
  std::vector<CarriedSlots> carried_;  // of each layer, where less than these is computed
};

/// window, alpha and the options of refresh_rows.h but after and suffix.
std::unique_ptr<Method> create_streaming_dllm(Options& options, const MethodContext& context);

}  // namespace unmask
