// Watches which keys a method lets its queries see: a method around another that passes every
// question on.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "model/method.h"

namespace unmask {

/// Of one layer in one step.
struct SeenKeys {
  std::vector<std::vector<int>> positions{};  // at hand, of each key head
  std::optional<BlockPattern> pattern{};      // of those, what each block of queries looks at

  /// For each position whether a query at `query` sees it.
  std::vector<bool> seen_by(int query, int head, int kv_head, int length) const;
};

class SeenKeysProbe final : public Method {
 public:
  /// `layers` takes what the last computed step saw, one entry a layer; it outlives the probe.
  SeenKeysProbe(std::unique_ptr<Method> watched, std::vector<SeenKeys>& layers)
      : watched_(std::move(watched)), layers_(layers) {}

  std::string_view name() const override { return watched_->name(); }
  bool needs_order() const override { return watched_->needs_order(); }
  bool stops_after_end() const override { return watched_->stops_after_end(); }
  StepPlan plan_step(const Step& step) override { return watched_->plan_step(step); }
  LayerPlan plan_layer(LayerScope& scope) override { return watched_->plan_layer(scope); }
  /// Throws Error when the method looks at a cache and does not say what its slots stand for.
  Attention attend(AttendScope& scope) override;
  void attended(int layer, BlockImportance& importance) override {
    watched_->attended(layer, importance);
  }
  size_t state_bytes() const override { return watched_->state_bytes(); }
  std::vector<int> slot_positions(const AttendScope& scope, int kv_head) const override {
    return watched_->slot_positions(scope, kv_head);
  }

 private:
  std::unique_ptr<Method> watched_;
  std::vector<SeenKeys>& layers_;
};

}  // namespace unmask
