// Steps that a backend takes without asking the host between them: the tokens stay in its memory,
// and it decides there which of them are revealed.
#pragma once

#include <functional>
#include <vector>

#include "core/tensor.h"
#include "kernels/series_plan.h"

namespace unmask {

struct HostMatrix;

class StepSeries {
 public:
  virtual ~StepSeries() = default;

  /// Calls `step` at least once and takes all steps as that call did. `step` computes the logits of
  /// the open rows with embed(), the backend's other functions and choose(), in the same way
  /// whenever it is called; none of them may bring anything to the host. Returns what became of the
  /// open rows, in their order. Throws Error where logits are no numbers.
  virtual std::vector<Revealed> run(const std::function<void()>& step) = 0;

  /// Backend::embed of the plan's rows with the tokens they have by now.
  virtual void embed(const HostMatrix& table, Tensor out) = 0;
  /// Chooses a token for some open rows, those from `first` on. [some, vocab]
  virtual void choose(Tensor logits, int first) = 0;
};

}  // namespace unmask
