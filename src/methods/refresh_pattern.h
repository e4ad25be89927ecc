// A cache whose refresh passes, the ones that compute every position, read the keys that a pattern
// method chooses: two savings that do not meet otherwise.
#pragma once

#include <memory>
#include <string>

#include "model/method.h"

namespace unmask {

class RefreshPattern final : public Method {
 public:
  RefreshPattern(std::unique_ptr<Method> cache, std::unique_ptr<Method> pattern)
      : cache_(std::move(cache)),
        pattern_(std::move(pattern)),
        name_(std::string(cache_->name()) + "+" + std::string(pattern_->name())) {}

  std::string_view name() const override { return name_; }
  bool needs_order() const override { return cache_->needs_order(); }
  bool stops_after_end() const override { return cache_->stops_after_end(); }
  StepPlan plan_step(const Step& step) override;
  Attention attend(AttendScope& scope) override;
  void attended(int layer, BlockImportance& importance) override {
    pattern_->attended(layer, importance);
  }
  size_t state_bytes() const override { return cache_->state_bytes() + pattern_->state_bytes(); }
  std::vector<int> slot_positions(const AttendScope& scope, int kv_head) const override {
    return cache_->slot_positions(scope, kv_head);
  }

 private:
  std::unique_ptr<Method> cache_;
  std::unique_ptr<Method> pattern_;
  std::string name_;
  bool refreshes_ = false;  // in the planned step
};

}  // namespace unmask
