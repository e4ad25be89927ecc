// A backend around another one that passes everything on (a decorator): the base of backends that
// measure or change a few functions. tools/check_repository.py compares it with kernels/backend.h.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/backend.h"

namespace unmask {

class BackendWrapper : public Backend {
 public:
  explicit BackendWrapper(std::unique_ptr<Backend> inner) : inner_(std::move(inner)) {}

  std::string describe() const override { return inner_->describe(); }
  DType activation_type() const override { return inner_->activation_type(); }
  int tile_rows() const override { return inner_->tile_rows(); }

  Buffer allocate(size_t bytes) override { return inner_->allocate(bytes); }
  void upload(const float* host, Tensor out) override { inner_->upload(host, out); }
  void download(Tensor from, float* host) override { inner_->download(from, host); }
  bool takes_panels(const HostMatrix& weights) const override {
    return inner_->takes_panels(weights);
  }
  std::unique_ptr<PackedMatrix> pack(const HostMatrix& weights) override {
    return inner_->pack(weights);
  }
  std::vector<std::unique_ptr<PackedMatrix>> pack_together(
      std::span<const HostMatrix> weights) override {
    return inner_->pack_together(weights);
  }

  void complete(Tensor t) override { inner_->complete(t); }
  bool whole(Tensor t) const override { return inner_->whole(t); }

  void embed(std::span<const TokenId> tokens, const HostMatrix& table, Tensor out) override {
    inner_->embed(tokens, table, out);
  }
  using Backend::linear;
  void linear(Tensor x, std::span<const LinearMap> maps) override { inner_->linear(x, maps); }
  void experts(Tensor x, const Experts& experts, Tensor out, Into into) override {
    inner_->experts(x, experts, out, into);
  }
  void rms_norm(Tensor x, Tensor weight, float eps, Tensor out) override {
    inner_->rms_norm(x, weight, eps, out);
  }
  void rope(Tensor x, std::span<const int> positions, const Rotation& rotation) override {
    inner_->rope(x, positions, rotation);
  }
  void attention(std::span<const AttentionTask> tasks, const HeadShape& shape) override {
    inner_->attention(tasks, shape);
  }
  void add(Tensor x, Tensor y) override { inner_->add(x, y); }
  void extrapolate(Tensor x, Tensor y, float scale) override { inner_->extrapolate(x, y, scale); }
  void gather(Tensor from, const Rows& rows, Tensor out) override {
    inner_->gather(from, rows, out);
  }
  void scatter(Tensor from, const Rows& rows, Tensor out) override {
    inner_->scatter(from, rows, out);
  }
  void token_stats(Tensor logits, std::span<const int> positions, const TokenQuery& query,
                   std::span<TokenStats> out) override {
    inner_->token_stats(logits, positions, query, out);
  }
  std::unique_ptr<StepSeries> series(const SeriesPlan& plan) override {
    return inner_->series(plan);
  }

  void mean_query_scores(Tensor q, Tensor k, const HeadShape& shape,
                         std::span<float> out) override {
    inner_->mean_query_scores(q, k, shape, out);
  }
  void attention_mass(Tensor q, const Rows& rows, Tensor k, const HeadShape& shape,
                      std::span<float> out) override {
    inner_->attention_mass(q, rows, k, shape, out);
  }
  void cosine_rows(Tensor a, Tensor b, std::span<float> out) override {
    inner_->cosine_rows(a, b, out);
  }
  void row_changes(Tensor a, Tensor b, const Rows& rows, std::span<float> out) override {
    inner_->row_changes(a, b, rows, out);
  }

 protected:
  Backend& inner() const { return *inner_; }

 private:
  std::unique_ptr<Backend> inner_;
};

}  // namespace unmask
