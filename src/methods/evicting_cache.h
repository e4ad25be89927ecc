// Base of the caches that keep some positions outside the block and evict the rest; they differ in
// the positions they select.
#pragma once

#include <vector>

#include "methods/options.h"
#include "model/method.h"

namespace unmask {

struct EvictionSteps {
  int delay = 1;             // step of the block that builds the cache; steps up to it compute all
  bool first_alone = false;  // step 0 decides the first position of the block and no other: where
                             // row p - 1 predicts p, later steps do not compute that row
};

/// Reads delay; first_alone follows from the model.
EvictionSteps read_eviction_steps(Options& options, const MethodContext& context);

class EvictingCache : public Method {
 public:
  explicit EvictingCache(const EvictionSteps& steps) : steps_(steps) {}

  bool allows_growth() const override { return true; }
  int fewest_steps() const override { return steps_.first_alone ? 2 : 1; }
  StepPlan plan_step(const Step& step) override;
  Attention attend(AttendScope& scope) override;
  std::vector<int> slot_positions(const AttendScope& scope, int kv_head) const override;

  /// Positions outside the block that a layer kept last in a key head, ascending.
  const Rows& kept(int layer, int kv_head = 0) const;

 private:
  /// Ascending positions outside the block to keep: one list for all key heads, or one for each and
  /// all of a length.
  virtual std::vector<Rows> select(const AttendScope& scope) const = 0;
  void build(AttendScope& scope);

  EvictionSteps steps_;
  std::vector<std::vector<Rows>> kept_;  // of each layer, as selected
};

}  // namespace unmask
