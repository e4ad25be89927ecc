#include "kernels/metered/backend.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <numeric>
#include <utility>

namespace unmask {

namespace {

using Clock = std::chrono::steady_clock;

class Metered final : public MeteredBackend {
 public:
  explicit Metered(std::unique_ptr<Backend> measured) : measured_(std::move(measured)) {}

  OperationTimes take() override { return std::exchange(times_, {}); }
  size_t peak_bytes() const override { return peak_ + weights_; }
  std::string describe() const override { return measured_->describe(); }
  DType activation_type() const override { return measured_->activation_type(); }
  int tile_rows() const override { return measured_->tile_rows(); }

  Buffer allocate(size_t bytes) override {
    live_ += bytes;
    peak_ = std::max(peak_, live_);
    Buffer buffer = measured_->allocate(bytes);
    void* data = buffer.data();
    buffers_.emplace(data, std::move(buffer));
    return {data, bytes, [this, bytes](void* p) {
              buffers_.erase(p);
              live_ -= bytes;
            }};
  }
  void upload(const float* host, Tensor out) override { measured_->upload(host, out); }
  void download(Tensor from, float* host) override { measured_->download(from, host); }
  std::unique_ptr<PackedMatrix> pack(const HostMatrix& weights) override {
    auto matrix = measured_->pack(weights);
    weights_ += matrix->bytes();
    return matrix;
  }
  std::vector<std::unique_ptr<PackedMatrix>> pack_together(
      std::span<const HostMatrix> weights) override {
    auto packed = measured_->pack_together(weights);
    for (const auto& matrix : packed) weights_ += matrix->bytes();
    return packed;
  }

  void embed(std::span<const TokenId> tokens, const HostMatrix& table, Tensor out) override {
    timed(Operation::copies, [&] { measured_->embed(tokens, table, out); });
  }
  using Backend::linear;
  void linear(Tensor x, std::span<const LinearMap> maps) override {
    timed(Operation::products, [&] { measured_->linear(x, maps); });
  }
  void rms_norm(Tensor x, Tensor weight, float eps, Tensor out) override {
    timed(Operation::norms, [&] { measured_->rms_norm(x, weight, eps, out); });
  }
  void rope(Tensor x, std::span<const int> positions, int head_dim, float theta) override {
    timed(Operation::rotations, [&] { measured_->rope(x, positions, head_dim, theta); });
  }
  void attention(std::span<const AttentionTask> tasks, const HeadShape& shape) override {
    timed(Operation::attention, [&] { measured_->attention(tasks, shape); });
  }
  void add(Tensor x, Tensor y) override {
    timed(Operation::copies, [&] { measured_->add(x, y); });
  }
  void extrapolate(Tensor x, Tensor y, float scale) override {
    timed(Operation::copies, [&] { measured_->extrapolate(x, y, scale); });
  }
  void gather(Tensor from, const Rows& rows, Tensor out) override {
    timed(Operation::copies, [&] { measured_->gather(from, rows, out); });
  }
  void scatter(Tensor from, const Rows& rows, Tensor out) override {
    timed(Operation::copies, [&] { measured_->scatter(from, rows, out); });
  }
  void token_stats(Tensor logits, std::span<const int> positions, const TokenQuery& query,
                   std::span<TokenStats> out) override {
    timed(Operation::sampling, [&] { measured_->token_stats(logits, positions, query, out); });
  }
  void mean_query_scores(Tensor q, Tensor k, const HeadShape& shape,
                         std::span<float> out) override {
    timed(Operation::measurements, [&] { measured_->mean_query_scores(q, k, shape, out); });
  }
  void attention_mass(Tensor q, const Rows& rows, Tensor k, const HeadShape& shape,
                      std::span<float> out) override {
    timed(Operation::measurements, [&] { measured_->attention_mass(q, rows, k, shape, out); });
  }
  void cosine_rows(Tensor a, Tensor b, std::span<float> out) override {
    timed(Operation::measurements, [&] { measured_->cosine_rows(a, b, out); });
  }

 private:
  template <typename Work>
  void timed(Operation operation, const Work& work) {
    const auto start = Clock::now();
    work();
    times_.seconds[static_cast<size_t>(operation)] +=
        std::chrono::duration<double>(Clock::now() - start).count();
  }

  std::unique_ptr<Backend> measured_;
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
