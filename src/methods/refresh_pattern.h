// A cache whose refresh passes, the ones that compute every position, read only the keys that a
// pattern method chooses: the pattern saves where the cache does not.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "methods/method_wrapper.h"

namespace unmask {

class RefreshPattern final : public MethodWrapper {
 public:
  RefreshPattern(std::unique_ptr<Method> cache, std::unique_ptr<Method> pattern)
      : MethodWrapper(std::move(cache)),
        pattern_(std::move(pattern)),
        name_(std::string(inner().name()) + "+" + std::string(pattern_->name())) {}

  std::string_view name() const override { return name_; }
  bool supports(const Visibility& visibility) const override {
    return inner().supports(visibility) && pattern_->supports(visibility);
  }
  StepPlan plan_step(const Step& step) override;
  Attention attend(AttendScope& scope) override;
  void attended(int layer, BlockImportance& importance) override {
    pattern_->attended(layer, importance);
  }
  size_t state_bytes() const override { return inner().state_bytes() + pattern_->state_bytes(); }

 private:
  std::unique_ptr<Method> pattern_;
  std::string name_;
  bool refreshes_ = false;  // in the planned step
};

}  // namespace unmask
