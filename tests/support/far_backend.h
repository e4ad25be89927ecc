// A backend whose memory the host cannot read or write, as that of a device: what works on it
// reaches every tensor through the backend.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/backend_wrapper.h"

namespace unmask::testing {

/// Another backend behind addresses that no processor accepts: touching one ends the process.
class FarBackend : public BackendWrapper {
 public:
  using BackendWrapper::BackendWrapper;

  std::string describe() const override { return "far " + inner().describe(); }

  Buffer allocate(size_t bytes) override {
    Buffer near = inner().allocate(bytes);
    void* address = moved(near.data());
    held_.emplace(address, std::move(near));
    return {address, bytes, [this](void* p) { held_.erase(p); }};
  }
  void upload(const float* host, Tensor out) override { inner().upload(host, moved(out)); }
  void download(Tensor from, float* host) override { inner().download(moved(from), host); }
  void complete(Tensor t) override { inner().complete(moved(t)); }
  bool whole(Tensor t) const override { return inner().whole(moved(t)); }

  void embed(std::span<const TokenId> tokens, const HostMatrix& table, Tensor out) override {
    inner().embed(tokens, table, moved(out));
  }
  using BackendWrapper::linear;
  void linear(Tensor x, std::span<const LinearMap> maps) override {
    std::vector<LinearMap> near(maps.begin(), maps.end());
    for (LinearMap& map : near) {
      map.out = moved(map.out);
      map.bias = moved(map.bias);
    }
    inner().linear(moved(x), near);
  }
  void experts(Tensor x, const Experts& experts, Tensor out, Into into) override {
    Experts near = experts;
    near.router = moved(near.router);
    near.router_bias = moved(near.router_bias);
    inner().experts(moved(x), near, moved(out), into);
  }
  void rms_norm(Tensor x, Tensor weight, float eps, Tensor out) override {
    inner().rms_norm(moved(x), moved(weight), eps, moved(out));
  }
  void rope(Tensor x, std::span<const int> positions, const Rotation& rotation) override {
    inner().rope(moved(x), positions, rotation);
  }
  void attention(std::span<const AttentionTask> tasks, const HeadShape& shape) override {
    std::vector<AttentionTask> near(tasks.begin(), tasks.end());
    for (AttentionTask& task : near) {
      for (Tensor* t : {&task.q, &task.kv.k, &task.kv.v, &task.out}) *t = moved(*t);
    }
    inner().attention(near, shape);
  }
  void add(Tensor x, Tensor y) override { inner().add(moved(x), moved(y)); }
  void extrapolate(Tensor x, Tensor y, float scale) override {
    inner().extrapolate(moved(x), moved(y), scale);
  }
  void gather(Tensor from, const Rows& rows, Tensor out) override {
    inner().gather(moved(from), rows, moved(out));
  }
  void scatter(Tensor from, const Rows& rows, Tensor out) override {
    inner().scatter(moved(from), rows, moved(out));
  }
  void token_stats(Tensor logits, std::span<const int> positions, const TokenQuery& query,
                   std::span<TokenStats> out) override {
    inner().token_stats(moved(logits), positions, query, out);
  }
  std::unique_ptr<StepSeries> series(const SeriesPlan& plan) override {
    auto near = inner().series(plan);
    return near ? std::make_unique<FarSeries>(std::move(near)) : nullptr;
  }
  void mean_query_scores(Tensor q, Tensor k, const HeadShape& shape,
                         std::span<float> out) override {
    inner().mean_query_scores(moved(q), moved(k), shape, out);
  }
  void attention_mass(Tensor q, const Rows& rows, Tensor k, const HeadShape& shape,
                      std::span<float> out) override {
    inner().attention_mass(moved(q), rows, moved(k), shape, out);
  }
  void cosine_rows(Tensor a, Tensor b, std::span<float> out) override {
    inner().cosine_rows(moved(a), moved(b), out);
  }
  void row_changes(Tensor a, Tensor b, const Rows& rows, std::span<float> out) override {
    inner().row_changes(moved(a), moved(b), rows, out);
  }

 private:
  class FarSeries final : public StepSeries {
   public:
    explicit FarSeries(std::unique_ptr<StepSeries> near) : near_(std::move(near)) {}
    std::vector<Revealed> run(const std::function<void()>& step) override {
      return near_->run(step);
    }
    void embed(const HostMatrix& table, Tensor out) override { near_->embed(table, moved(out)); }
    void choose(Tensor logits, int first) override { near_->choose(moved(logits), first); }

   private:
    std::unique_ptr<StepSeries> near_;
  };

  /// There and back: addresses with only bit 62 flipped are not canonical on x86-64.
  static void* moved(void* address) {
    if (address == nullptr) return nullptr;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the result is meant to be no usable pointer
    return reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(address) ^ (uintptr_t{1} << 62));
  }
  static Tensor moved(Tensor t) {
    t.data = moved(t.data);
    return t;
  }

  std::map<void*, Buffer> held_;  // by far address
};

}  // namespace unmask::testing
