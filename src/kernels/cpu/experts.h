// A feed-forward of experts on the CPU: the rows are grouped by expert, so that the weights of an
// expert are read once for all rows that take it.
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
  using Linear = std::function<void(Tensor x, std::span<const LinearMap> maps)>;  // Backend::linear

  /// `pool` and `table` outlive this.
  ExpertProducts(ThreadPool& pool, const KernelTable& table, Linear linear)
      : pool_(pool), table_(table), linear_(std::move(linear)) {}

  /// Backend::experts. A row's result does not depend on the rows beside it.
  void run(Tensor x, const Experts& experts, Tensor out, Into into);

 private:
  struct Choice {
    int row;
    float weight;
  };
  /// The rows that take an expert, expert by expert, ascending.
  std::vector<std::vector<Choice>> route(Tensor x, const Experts& experts);
  /// down(silu(gate x) * up x) into `out`, which lies apart from x.
  void multiply(Tensor x, const GatedMaps& maps, Tensor out, Into into);
  /// Adds the weighted output of one expert to the rows that took it.
  void add_expert(Tensor x, const GatedMaps& maps, const std::vector<Choice>& rows, Tensor out);

  ThreadPool& pool_;
  const KernelTable& table_;
  Linear linear_;
  Buffer input_;   // [rows of an expert, dim]
  Buffer inner_;   // [rows of an expert, width]
  Buffer output_;  // [rows of an expert, dim]
};

}  // namespace unmask::cpu
