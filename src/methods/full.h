// The vanilla model: every row, every key, every step.
#pragma once

#include "model/method.h"

namespace unmask {

class Full final : public Method {
 public:
  std::string_view name() const override { return "full"; }
  bool supports(const Visibility& /*visibility*/) const override { return true; }
  bool allows_moves() const override { return true; }
};

}  // namespace unmask
