// A feed-forward of experts on the CPU: the rows are grouped by expert, so that the weights of an
// expert are read once for all rows that take it, and many experts pass in one parallel region: a
// block step has hundreds of them with a row or two each.
#pragma once

#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "core/parallel.h"
#include "kernels/backend.h"
#include "kernels/cpu/table.h"

namespace unmask::cpu {

class ExpertProducts {
 public:
  /// Products::multiply.
  using Multiply =
      std::function<void(Tensor x, std::span<const LinearMap> maps, std::span<const Range> rows)>;

  /// `pool` and `table` outlive this.
  ExpertProducts(ThreadPool& pool, const KernelTable& table, Multiply multiply)
      : pool_(pool), table_(table), multiply_(std::move(multiply)) {}

  /// Backend::experts. A row's result does not depend on the rows beside it.
  void run(Tensor x, const Experts& experts, Tensor out, Into into);

 private:
  struct Choice {
    int expert;
    int row;
    float weight;
  };
  /// What the rows take, expert by expert, their rows ascending.
  std::vector<Choice> route(Tensor x, const Experts& experts);
  /// down(silu(gate x) * up x) into `out`, which lies apart from x.
  void add_shared(Tensor x, const GatedMaps& maps, Tensor out);
  /// Adds the weighted outputs of whole experts to the rows that take them.
  void add_experts(Tensor x, std::span<const GatedMaps> maps, std::span<const Choice> choices,
                   Tensor out);

  ThreadPool& pool_;
  const KernelTable& table_;
  Multiply multiply_;
  Buffer input_;   // [choices, dim]
  Buffer inner_;   // [choices, width]
  Buffer output_;  // [choices, dim]
};

}  // namespace unmask::cpu
