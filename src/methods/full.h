// The vanilla model: every row, every key, every step.
#pragma once

#include "model/method.h"

namespace unmask {

class Full final : public Method {
 public:
  std::string_view name() const override { return "full"; }
  bool supports(const Visibility& /*visibility*/) const override { return true; }
  bool allows_moves() const override { return true; }
  bool takes_drafts() const override { return true; }
  StepPlan plan_step(const Step& step) override {
    StepPlan plan = Method::plan_step(step);
    plan.drafts = true;
    return plan;
  }
};

}  // namespace unmask
