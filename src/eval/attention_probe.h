// Watches a method while it works: a method around another that passes every question on, and notes
// what the queries of one layer look at in some steps.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "eval/attention_record.h"
#include "model/method.h"

namespace unmask {

class AttentionProbe final : public Method {
 public:
  /// `record` says what to watch (layer, heads, cell, score_block and the number of each step) and
  /// takes what is seen; it outlives the probe.
  AttentionProbe(std::unique_ptr<Method> watched, AttentionRecord& record)
      : watched_(std::move(watched)), record_(record) {}

  std::string_view name() const override { return watched_->name(); }
  bool needs_order() const override { return watched_->needs_order(); }
  bool stops_after_end() const override { return watched_->stops_after_end(); }
  StepPlan plan_step(const Step& step) override;
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
  /// The place of a step in the record; null when it is not watched.
  StepObservation* place_of(const Step& step);
  HeadObservation observe(const AttendScope& scope, const Attention& attention, int head) const;

  std::unique_ptr<Method> watched_;
  AttentionRecord& record_;
};

}  // namespace unmask
