#include "kernels/cpu/split_products.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "kernels/cpu/input_rows.h"
#include "kernels/split.h"

namespace unmask::cpu {

namespace {

class SplitMatrix final : public CpuMatrix {
 public:
  /// `own` is null where the rank has no output of the matrix.
  SplitMatrix(const HostMatrix& shape, Products& products, const Cut& cut,
              std::unique_ptr<CpuMatrix> own)
      : CpuMatrix(shape, products), cut_(cut), own_(std::move(own)) {}
  size_t bytes() const override { return own_ ? own_->bytes() : 0; }
  const Cut& cut() const { return cut_; }
  const CpuMatrix* own() const { return own_.get(); }

 private:
  Cut cut_;
  std::unique_ptr<CpuMatrix> own_;
};

class SplitProducts final : public Products {
 public:
  SplitProducts(std::unique_ptr<LocalProducts> own, SplitColumns& columns)
      : own_(std::move(own)), columns_(columns) {}

  std::string_view name() const override { return own_->name(); }
  std::unique_ptr<CpuMatrix> pack(const HostMatrix& weights) override {
    const Cut cut = cut_outputs(weights, columns_.ranks().size());
    const HostMatrix part = own_part(weights, columns_.ranks());
    return std::make_unique<SplitMatrix>(weights, *this, cut,
                                         part.out > 0 ? own_->pack(part) : nullptr);
  }
  void multiply(Tensor x, std::span<const LinearMap> maps, std::span<const Range> rows) override;

 private:
  /// A matrix that maps write, and whether the last of them is a gate's.
  struct Output {
    CutColumns part;
    bool is_gated;
  };

  /// Of all ranks, those too that have none of the outputs.
  PackedRows packed(Tensor x);
  void finish(const std::vector<Output>& outputs);

  std::unique_ptr<LocalProducts> own_;
  SplitColumns& columns_;
};

PackedRows SplitProducts::packed(Tensor x) {
  InputRows& inputs = own_->inputs();
  const auto cut = columns_.cut(x);
  if (cut && inputs.form() != InputForm::plain) return inputs.gather({x, *cut}, columns_.gather());
  columns_.complete(x);
  return inputs.pack(x);
}

void SplitProducts::multiply(Tensor x, std::span<const LinearMap> maps,
                             std::span<const Range> rows) {
  std::vector<LinearMap> parts;
  std::vector<Range> part_rows;
  std::vector<Output> outputs;
  for (size_t i = 0; i < maps.size(); ++i) {
    const LinearMap& map = maps[i];
    const auto& matrix = dynamic_cast<const SplitMatrix&>(*map.weights);
    // A gate and what it multiplies go into the same memory, one after the other.
    const bool goes_on = !outputs.empty() && outputs.back().part.matrix.data == map.out.data;
    if (!goes_on) outputs.push_back({{map.out, matrix.cut()}, false});
    outputs.back().is_gated = map.into == Into::gate;
    if (matrix.own() == nullptr) continue;
    const Range own = matrix.cut().of(columns_.ranks().rank());
    parts.push_back({.weights = matrix.own(),
                     .out = map.out.columns(own),
                     .bias = map.bias ? map.bias.columns(own) : Tensor{},
                     .into = map.into});
    if (!rows.empty()) part_rows.push_back(rows[i]);
  }
  const PackedRows input = packed(x);
  if (!parts.empty()) own_->multiply_packed(input, x.rows, parts, part_rows);
  finish(outputs);
}

void SplitProducts::finish(const std::vector<Output>& outputs) {
  std::vector<CutColumns> whole;
  for (const Output& output : outputs) {
    if (output.is_gated) {
      columns_.mark(output.part);
    } else {
      whole.push_back(output.part);
    }
  }
  if (!whole.empty()) columns_.gather().run(whole);
}

}  // namespace

std::unique_ptr<Products> create_split_products(std::unique_ptr<LocalProducts> own,
                                                SplitColumns& columns) {
  return std::make_unique<SplitProducts>(std::move(own), columns);
}

}  // namespace unmask::cpu
