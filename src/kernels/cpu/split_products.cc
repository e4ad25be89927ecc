#include "kernels/cpu/split_products.h"

#include <algorithm>
#include <utility>
#include <vector>

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
  SplitProducts(std::unique_ptr<Products> own, ColumnGather& gather)
      : own_(std::move(own)), gather_(gather) {}

  std::string_view name() const override { return own_->name(); }
  std::unique_ptr<CpuMatrix> pack(const HostMatrix& weights) override {
    const Cut cut = cut_outputs(weights, gather_.ranks().size());
    const HostMatrix part = own_part(weights, gather_.ranks());
    return std::make_unique<SplitMatrix>(weights, *this, cut,
                                         part.out > 0 ? own_->pack(part) : nullptr);
  }
  void multiply(Tensor x, std::span<const LinearMap> maps, std::span<const Range> rows) override;

 private:
  std::unique_ptr<Products> own_;
  ColumnGather& gather_;
};

void SplitProducts::multiply(Tensor x, std::span<const LinearMap> maps,
                             std::span<const Range> rows) {
  std::vector<LinearMap> parts;
  std::vector<Range> part_rows;
  std::vector<CutColumns> outputs;
  for (size_t i = 0; i < maps.size(); ++i) {
    const LinearMap& map = maps[i];
    const auto& matrix = dynamic_cast<const SplitMatrix&>(*map.weights);
    // A gate and what it multiplies go into the same memory, one after the other.
    const bool goes_on = !outputs.empty() && outputs.back().matrix.data == map.out.data;
    if (!goes_on) outputs.push_back({map.out, matrix.cut()});
    if (matrix.own() == nullptr) continue;
    const Range own = matrix.cut().of(gather_.ranks().rank());
    parts.push_back({.weights = matrix.own(),
                     .out = map.out.columns(own),
                     .bias = map.bias ? map.bias.columns(own) : Tensor{},
                     .into = map.into});
    if (!rows.empty()) part_rows.push_back(rows[i]);
  }
  if (!parts.empty()) own_->multiply(x, parts, part_rows);
  gather_.run(outputs);
}

}  // namespace

std::unique_ptr<Products> create_split_products(std::unique_ptr<Products> own,
                                                ColumnGather& gather) {
  return std::make_unique<SplitProducts>(std::move(own), gather);
}

}  // namespace unmask::cpu
