#include "kernels/ranks/output_split.h"

#include <utility>
#include <vector>

#include "kernels/backend_wrapper.h"
#include "kernels/split.h"
#include "kernels/split_attention.h"

namespace unmask {

namespace {

/// What a rank keeps of a matrix.
class OutputMatrix final : public PackedMatrix {
 public:
  OutputMatrix(const HostMatrix& shape, int ranks)
      : PackedMatrix(shape.out, shape.in), cut_(cut_outputs(shape, ranks)) {}
  size_t bytes() const override { return own_ ? own_->bytes() : 0; }
  const Cut& cut() const { return cut_; }
  /// Null where the rank has no output.
  const PackedMatrix* own() const { return own_.get(); }
  void keep(std::unique_ptr<PackedMatrix> own) { own_ = std::move(own); }

 private:
  Cut cut_;
  std::unique_ptr<PackedMatrix> own_;
};

class OutputSplit final : public BackendWrapper {
 public:
  OutputSplit(std::unique_ptr<Backend> own, const Communicator& ranks, GatherColumns gather)
      : BackendWrapper(std::move(own)), ranks_(ranks), gather_(std::move(gather)) {}

  std::string describe() const override {
    return fmt::format("{}, {} ranks", inner().describe(), ranks_.size());
  }
  std::unique_ptr<PackedMatrix> pack(const HostMatrix& weights) override {
    return std::move(pack_together({&weights, 1})[0]);
  }
  std::vector<std::unique_ptr<PackedMatrix>> pack_together(
      std::span<const HostMatrix> weights) override;
  using Backend::linear;
  void linear(Tensor x, std::span<const LinearMap> maps) override;
  void experts(Tensor, const Experts&, Tensor, Into) override {
    fail(
        "[ranks] {}: found a feed-forward of experts, expected a dense one: compute it with "
        "--device cpu, or in one process",
        describe());
  }
  void attention(std::span<const AttentionTask> tasks, const HeadShape& shape) override;
  std::unique_ptr<StepSeries> series(const SeriesPlan& /*plan*/) override { return nullptr; }

 private:
  const Communicator& ranks_;
  GatherColumns gather_;
};

std::vector<std::unique_ptr<PackedMatrix>> OutputSplit::pack_together(
    std::span<const HostMatrix> weights) {
  std::vector<std::unique_ptr<OutputMatrix>> split;
  std::vector<HostMatrix> parts;
  for (const HostMatrix& matrix : weights) {
    split.push_back(std::make_unique<OutputMatrix>(matrix, ranks_.size()));
    const HostMatrix part = own_part(matrix, ranks_);
    if (part.out > 0) parts.push_back(part);
  }
  if (!parts.empty()) {
    auto packed = inner().pack_together(parts);
    auto next = packed.begin();
    for (const auto& matrix : split) {
      if (matrix->cut().of(ranks_.rank()).size() > 0) matrix->keep(std::move(*next++));
    }
  }
  return {std::make_move_iterator(split.begin()), std::make_move_iterator(split.end())};
}

void OutputSplit::linear(Tensor x, std::span<const LinearMap> maps) {
  if (x.rows == 0) return;
  std::vector<LinearMap> parts;
  std::vector<CutColumns> outputs;
  for (const LinearMap& map : maps) {
    const auto& matrix = dynamic_cast<const OutputMatrix&>(*map.weights);
    // A gate and what it multiplies go into the same memory, one after the other.
    const bool goes_on = !outputs.empty() && outputs.back().matrix.data == map.out.data;
    if (!goes_on) outputs.push_back({map.out, matrix.cut()});
    if (matrix.own() == nullptr) continue;
    const Range own = matrix.cut().of(ranks_.rank());
    parts.push_back({.weights = matrix.own(),
                     .out = map.out.columns(own),
                     .bias = map.bias ? map.bias.columns(own) : Tensor{},
                     .into = map.into});
  }
  if (!parts.empty()) inner().linear(x, parts);
  gather_(outputs);
}

/// What is measured, and lists, are those of all heads: every rank computes such tasks as a whole.
void OutputSplit::attention(std::span<const AttentionTask> tasks, const HeadShape& shape) {
  std::vector<AttentionTask> shared;
  std::vector<AttentionTask> whole;
  for (const AttentionTask& task : tasks) {
    if (task.q.rows == 0) continue;
    const bool plain = task.pattern == nullptr && task.importance == nullptr && task.lse == nullptr;
    (plain ? shared : whole).push_back(task);
    if (plain) continue;
    whole.back().kv.packed = nullptr;  // it has a rank's own heads
  }
  const auto attend = [this](auto some, const HeadShape& of) { inner().attention(some, of); };
  if (!whole.empty()) attend(whole, shape);
  if (!shared.empty()) gather_(attend_own_heads(shared, shape, attend, ranks_).outs);
}

}  // namespace

std::unique_ptr<Backend> create_output_split(std::unique_ptr<Backend> own,
                                             const Communicator& ranks, GatherColumns gather) {
  return std::make_unique<OutputSplit>(std::move(own), ranks, std::move(gather));
}

}  // namespace unmask
