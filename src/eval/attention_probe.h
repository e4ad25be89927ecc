// A method around another one that notes what the queries of one layer look at in some steps.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "eval/attention_record.h"
#include "methods/method_wrapper.h"

namespace unmask {

class AttentionProbe final : public MethodWrapper {
 public:
  /// `record` says what to watch (layer, heads, cell, score_block and the number of each step) and
  /// takes what is seen; it outlives the probe.
  AttentionProbe(std::unique_ptr<Method> watched, AttentionRecord& record)
      : MethodWrapper(std::move(watched)), record_(record) {}

  StepPlan plan_step(const Step& step) override;
  /// Throws Error when the method looks at a cache and does not say what its slots stand for.
  Attention attend(AttendScope& scope) override;

 private:
  /// The place of a step in the record; null when it is not watched.
  StepObservation* place_of(const Step& step);
  HeadObservation observe(const AttendScope& scope, const Attention& attention, int head) const;

  AttentionRecord& record_;
};

}  // namespace unmask
