// Eviction by the votes of masks, in the spirit of MaskKV (arXiv 2510.09309): early in each block
// every key head keeps the prompt positions that the block's masks attend to most. Experimental:
// the paper's code is not published.
#pragma once

#include <memory>
#include <vector>

#include "methods/options.h"
#include "model/method.h"

namespace unmask {

struct MaskKvOptions {
  double keep = 0.5;         // share of the prompt that every key head keeps
  int delay = 1;             // step of the block that builds the cache
  bool first_alone = false;  // step 0 decides only the first position of the block: its row is not
                             // computed afterwards where row p - 1 predicts p
};

class MaskKv final : public Method {
 public:
  explicit MaskKv(const MaskKvOptions& options) : options_(options) {}
  std::string_view name() const override { return "maskkv"; }

  StepPlan plan_step(const Step& step) override;
  Attention attend(AttendScope& scope) override;
  std::vector<int> slot_positions(const AttendScope& scope, int kv_head) const override;

 private:
  /// Positions outside the block that each key head keeps.
  std::vector<Rows> select(const AttendScope& scope) const;
  void build(AttendScope& scope);

  MaskKvOptions options_;
  std::vector<std::vector<Rows>> kept_;  // of each layer and key head
};

/// keep, delay.
std::unique_ptr<Method> create_maskkv(Options& options, const MethodContext& context);

}  // namespace unmask
