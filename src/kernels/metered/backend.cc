#include "kernels/metered/backend.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <numeric>
#include <utility>

namespace unmask {

namespace {

using Clock = std::chrono::steady_clock;

class Metered final : public MeteredBackend {
 public:
  using MeteredBackend::MeteredBackend;

  OperationTimes take() override { return std::exchange(times_, {}); }
  size_t peak_bytes() const override { return peak_ + weights_; }

  Buffer allocate(size_t bytes) override {
    live_ += bytes;
    peak_ = std::max(peak_, live_);
    Buffer buffer = inner().allocate(bytes);
    void* data = buffer.data();
    buffers_.emplace(data, std::move(buffer));
    return {data, bytes, [this, bytes](void* p) {
              buffers_.erase(p);
              live_ -= bytes;
            }};
  }
  std::unique_ptr<PackedMatrix> pack(const HostMatrix& weights) override {
    auto matrix = inner().pack(weights);
    weights_ += matrix->bytes();
    return matrix;
  }
  std::vector<std::unique_ptr<PackedMatrix>> pack_together(
      std::span<const HostMatrix> weights) override {
    auto packed = inner().pack_together(weights);
    for (const auto& matrix : packed) weights_ += matrix->bytes();
    return packed;
  }

  void embed(std::span<const TokenId> tokens, const HostMatrix& table, Tensor out) override {
    timed(Operation::copies, [&] { inner().embed(tokens, table, out); });
  }
  using Backend::linear;
  void linear(Tensor x, std::span<const LinearMap> maps) override {
    timed(Operation::products, [&] { inner().linear(x, maps); });
  }
  void experts(Tensor x, const Experts& experts, Tensor out, Into into) override {
    timed(Operation::products, [&] { inner().experts(x, experts, out, into); });
  }
  void rms_norm(Tensor x, Tensor weight, float eps, Tensor out) override {
    timed(Operation::norms, [&] { inner().rms_norm(x, weight, eps, out); });
  }
  void rope(Tensor x, std::span<const int> positions, const Rotation& rotation) override {
    timed(Operation::rotations, [&] { inner().rope(x, positions, rotation); });
  }
  void attention(std::span<const AttentionTask> tasks, const HeadShape& shape) override {
    timed(Operation::attention, [&] { inner().attention(tasks, shape); });
  }
  void add(Tensor x, Tensor y) override {
    timed(Operation::copies, [&] { inner().add(x, y); });
  }
  void extrapolate(Tensor x, Tensor y, float scale) override {
    timed(Operation::copies, [&] { inner().extrapolate(x, y, scale); });
  }
  void gather(Tensor from, const Rows& rows, Tensor out) override {
    timed(Operation::copies, [&] { inner().gather(from, rows, out); });
  }
  void scatter(Tensor from, const Rows& rows, Tensor out) override {
    timed(Operation::copies, [&] { inner().scatter(from, rows, out); });
  }
  void token_stats(Tensor logits, std::span<const int> positions, const TokenQuery& query,
                   std::span<TokenStats> out) override {
    timed(Operation::sampling, [&] { inner().token_stats(logits, positions, query, out); });
  }
  std::unique_ptr<StepSeries> series(const SeriesPlan& plan) override {
    auto series = inner().series(plan);
    return series ? std::make_unique<MeteredSeries>(*this, std::move(series)) : nullptr;
  }
  void mean_query_scores(Tensor q, Tensor k, const HeadShape& shape,
                         std::span<float> out) override {
    timed(Operation::measurements, [&] { inner().mean_query_scores(q, k, shape, out); });
  }
  void attention_mass(Tensor q, const Rows& rows, Tensor k, const HeadShape& shape,
                      std::span<float> out) override {
    timed(Operation::measurements, [&] { inner().attention_mass(q, rows, k, shape, out); });
  }
  void cosine_rows(Tensor a, Tensor b, std::span<float> out) override {
    timed(Operation::measurements, [&] { inner().cosine_rows(a, b, out); });
  }
  void row_changes(Tensor a, Tensor b, const Rows& rows, std::span<float> out) override {
    timed(Operation::measurements, [&] { inner().row_changes(a, b, rows, out); });
  }

 private:
  class MeteredSeries final : public StepSeries {
   public:
    MeteredSeries(Metered& meter, std::unique_ptr<StepSeries> inner)
        : meter_(meter), inner_(std::move(inner)) {}
    std::vector<Revealed> run(const std::function<void()>& step) override {
      std::vector<Revealed> revealed;
      meter_.timed(Operation::series, [&] { revealed = inner_->run(step); });
      return revealed;
    }
    void embed(const HostMatrix& table, Tensor out) override {
      meter_.timed(Operation::copies, [&] { inner_->embed(table, out); });
    }
    void choose(Tensor logits, int first) override {
      meter_.timed(Operation::sampling, [&] { inner_->choose(logits, first); });
    }

   private:
    Metered& meter_;
    std::unique_ptr<StepSeries> inner_;
  };

  /// Adds the time of `work` to an operation, less what `work` added to others: no second counts
  /// twice.
  template <typename Work>
  void timed(Operation operation, const Work& work) {
    const double before = times_.total();
    const auto start = Clock::now();
    work();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    times_.seconds[static_cast<size_t>(operation)] += seconds - (times_.total() - before);
  }

  std::map<void*, Buffer> buffers_;  // those in use
  OperationTimes times_;
  size_t weights_ = 0;
  size_t live_ = 0;
  size_t peak_ = 0;
};

}  // namespace

std::string_view operation_name(Operation operation) {
  switch (operation) {
    case Operation::products: return "products";
    case Operation::attention: return "attention";
    case Operation::norms: return "norms";
    case Operation::rotations: return "rotations";
    case Operation::copies: return "copies";
    case Operation::sampling: return "sampling";
    case Operation::measurements: return "measurements";
    case Operation::series: return "series";
  }
  return "unknown";
}

double OperationTimes::total() const {
  return std::accumulate(seconds.begin(), seconds.end(), 0.0);
}

std::unique_ptr<MeteredBackend> create_metered_backend(std::unique_ptr<Backend> measured) {
  return std::make_unique<Metered>(std::move(measured));
}

}  // namespace unmask
