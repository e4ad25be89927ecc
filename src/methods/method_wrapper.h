// A method around another one that passes every question on (a decorator): the base of probes and
// of combined methods. tools/check_repository.py compares it with model/method.h.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "model/method.h"

namespace unmask {

class MethodWrapper : public Method {
 public:
  explicit MethodWrapper(std::unique_ptr<Method> inner) : inner_(std::move(inner)) {}

  std::string_view name() const override { return inner_->name(); }
  bool supports(const Visibility& visibility) const override {
    return inner_->supports(visibility);
  }
  int fewest_steps() const override { return inner_->fewest_steps(); }
  bool needs_order() const override { return inner_->needs_order(); }
  bool stops_after_end() const override { return inner_->stops_after_end(); }
  std::optional<Sliding> slides() const override { return inner_->slides(); }
  bool allows_moves() const override { return inner_->allows_moves(); }
  bool leaves_masks_out() const override { return inner_->leaves_masks_out(); }
  bool takes_drafts() const override { return inner_->takes_drafts(); }
  std::optional<int> reusable() const override { return inner_->reusable(); }
  int reusable_block() const override { return inner_->reusable_block(); }
  void resume(int positions) override { inner_->resume(positions); }
  StepPlan plan_step(const Step& step) override { return inner_->plan_step(step); }
  LayerPlan plan_layer(LayerScope& scope) override { return inner_->plan_layer(scope); }
  Attention attend(AttendScope& scope) override { return inner_->attend(scope); }
  void attended(int layer, BlockImportance& importance) override {
    inner_->attended(layer, importance);
  }
  Rows cut(CutScope& scope) override { return inner_->cut(scope); }
  size_t state_bytes() const override { return inner_->state_bytes(); }
  std::vector<int> slot_positions(const AttendScope& scope, int kv_head) const override {
    return inner_->slot_positions(scope, kv_head);
  }

 protected:
  Method& inner() const { return *inner_; }

 private:
  std::unique_ptr<Method> inner_;
};

}  // namespace unmask
