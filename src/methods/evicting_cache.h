// Base of the caches that keep some positions outside the block and evict the rest; they differ in
// the positions they select.
#pragma once

#include <vector>

#include "methods/carried_slots.h"
#include "methods/options.h"
#include "methods/refresh_rows.h"
#include "model/method.h"

namespace unmask {

struct EvictionSteps {
  int delay = 1;             // step of the block that builds the cache
  bool first_alone = false;  // step 0 decides the first position of the block and no other: where
                             // row p - 1 predicts p, later steps do not compute that row
  RefreshOptions refresh{};  // what the steps up to delay compute
};

/// Reads delay and the options of refresh_rows.h; first_alone follows from the model.
EvictionSteps read_eviction_steps(Options& options, const MethodContext& context);

/// Keys that a cache chooses from.
struct PresentKeys {
  Tensor k;  // [slots, n_kv_heads * head_dim]
  /// By slot, in any order: one list for all key heads or one for each.
  const std::vector<std::vector<int>>& positions;
  Range block;  // rows of scope.q that are the block
};

class EvictingCache : public Method {
 public:
  explicit EvictingCache(const EvictionSteps& steps)
      : steps_(steps), refresh_(steps.refresh, steps.first_alone) {}

  int fewest_steps() const override { return steps_.first_alone ? 2 : 1; }
  bool takes_drafts() const override { return true; }
  StepPlan plan_step(const Step& step) override;
  Attention attend(AttendScope& scope) override;
  size_t state_bytes() const override { return attended_.bytes(); }
  std::vector<int> slot_positions(const AttendScope& scope, int kv_head) const override;

  /// Positions outside the block that a layer kept last in a key head, ascending.
  const Rows& kept(int layer, int kv_head = 0) const;

 private:
  /// Ascending positions outside the block to keep: one list for all key heads, or one for each and
  /// all of a length.
  virtual std::vector<Rows> select(const AttendScope& scope, const PresentKeys& present) const = 0;
  void build(AttendScope& scope);
  /// The same with a store that lasts from block to block.
  Attention attend_carried(AttendScope& scope);
  Range block_rows(const AttendScope& scope) const;

  EvictionSteps steps_;
  RefreshRows refresh_;
  std::vector<std::vector<Rows>> kept_;  // of each layer, as selected
  std::vector<CarriedSlots> carried_;    // of each layer
  KvStore attended_;                     // of the layer that chose last, before it evicted
};

}  // namespace unmask
