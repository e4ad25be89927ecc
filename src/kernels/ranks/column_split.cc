#include "kernels/ranks/column_split.h"

#include <utility>

#include "kernels/ranks/reading_wrapper.h"

namespace unmask {

namespace {

class ColumnSplit final : public ReadingWrapper {
 public:
  ColumnSplit(std::unique_ptr<SplitColumns> columns, std::unique_ptr<Backend> own)
      : ReadingWrapper(std::move(own)), columns_(std::move(columns)) {}

  std::string describe() const override {
    return fmt::format("{}, {} ranks", inner().describe(), columns_->ranks().size());
  }
  void complete(Tensor t) override { columns_->complete(t); }
  bool whole(Tensor t) const override { return columns_->whole(t); }

  Buffer allocate(size_t bytes) override {
    Buffer memory = inner().allocate(bytes);
    columns_->forget(memory.data(), bytes);
    return memory;
  }
  void upload(const float* host, Tensor out) override {
    columns_->overwrite(out);
    inner().upload(host, out);
  }

  void embed(std::span<const TokenId> tokens, const HostMatrix& table, Tensor out) override {
    columns_->overwrite(out);
    inner().embed(tokens, table, out);
  }
  using Backend::linear;
  void linear(Tensor x, std::span<const LinearMap> maps) override {
    // x travels in the form in which products take it.
    for (const LinearMap& map : maps) write(map.out, map.into);
    inner().linear(x, maps);
  }
  void experts(Tensor x, const Experts& experts, Tensor out, Into into) override {
    complete(x);
    write(out, into);
    inner().experts(x, experts, out, into);
  }
  void rms_norm(Tensor x, Tensor weight, float eps, Tensor out) override {
    complete(x);
    columns_->overwrite(out);
    inner().rms_norm(x, weight, eps, out);
  }
  void rope(Tensor x, std::span<const int> positions, const Rotation& rotation) override {
    complete(x);
    inner().rope(x, positions, rotation);
  }
  void attention(std::span<const AttentionTask> tasks, const HeadShape& shape) override {
    for (const AttentionTask& task : tasks) {
      read({task.q, task.kv.k, task.kv.v});
      columns_->overwrite(task.out);
    }
    inner().attention(tasks, shape);
  }
  void add(Tensor x, Tensor y) override {
    read({x, y});
    inner().add(x, y);
  }
  void extrapolate(Tensor x, Tensor y, float scale) override {
    read({x, y});
    inner().extrapolate(x, y, scale);
  }
  void gather(Tensor from, const Rows& rows, Tensor out) override {
    complete(from);
    columns_->overwrite(out);
    inner().gather(from, rows, out);
  }
  void scatter(Tensor from, const Rows& rows, Tensor out) override {
    read({from, out});
    inner().scatter(from, rows, out);
  }

 private:
  void write(Tensor out, Into into) {
    if (into != Into::store) return complete(out);
    columns_->overwrite(out);
  }

  std::unique_ptr<SplitColumns> columns_;
};

}  // namespace

std::unique_ptr<Backend> create_column_split(
    Communicator& ranks,
    const std::function<std::unique_ptr<Backend>(SplitColumns& columns)>& create) {
  auto columns = std::make_unique<SplitColumns>(ranks);
  auto own = create(*columns);
  return std::make_unique<ColumnSplit>(std::move(columns), std::move(own));
}

}  // namespace unmask
