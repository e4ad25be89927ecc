// DSB (arXiv 2602.05992): the block slides. Its window begins at the first mask and moves with
// every token that is decided there, so that no border keeps a sure token waiting. Everything is
// computed when a block of tokens was decided; steps between compute the window and what it just
// left.
#pragma once

#include <memory>

#include "methods/options.h"
#include "methods/position_cache.h"

namespace unmask {

struct DsbOptions {
  Sliding window = Sliding::greedy;
  int prefix = 24;    // positions before the window that a step computes at least
  bool cache = true;  // false: every step computes everything
};

class Dsb final : public PositionCache {
 public:
  explicit Dsb(const DsbOptions& options) : options_(options) {}
  std::string_view name() const override { return "dsb"; }
  std::optional<Sliding> slides() const override { return options_.window; }

  StepPlan plan_step(const Step& step) override;

 private:
  DsbOptions options_;
  int begin_ = 0;  // of the last step's window
};

/// window (greedy, constant), prefix, cache.
std::unique_ptr<Method> create_dsb(Options& options, const MethodContext& context);

}  // namespace unmask
