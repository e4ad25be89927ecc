// What decorators for ranks have in common: the host reads whole tensors only.
#pragma once

#include <initializer_list>
#include <memory>

#include "kernels/backend_wrapper.h"

namespace unmask {

class ReadingWrapper : public BackendWrapper {
 public:
  using BackendWrapper::BackendWrapper;

  void download(Tensor from, float* host) override {
    read({from});
    inner().download(from, host);
  }
  void token_stats(Tensor logits, std::span<const int> positions, const TokenQuery& query,
                   std::span<TokenStats> out) override {
    read({logits});
    inner().token_stats(logits, positions, query, out);
  }
  void mean_query_scores(Tensor q, Tensor k, const HeadShape& shape,
                         std::span<float> out) override {
    read({q, k});
    inner().mean_query_scores(q, k, shape, out);
  }
  void attention_mass(Tensor q, const Rows& rows, Tensor k, const HeadShape& shape,
                      std::span<float> out) override {
    read({q, k});
    inner().attention_mass(q, rows, k, shape, out);
  }
  void cosine_rows(Tensor a, Tensor b, std::span<float> out) override {
    read({a, b});
    inner().cosine_rows(a, b, out);
  }
  void row_changes(Tensor a, Tensor b, const Rows& rows, std::span<float> out) override {
    read({a, b});
    inner().row_changes(a, b, rows, out);
  }
  /// Steps that a device takes alone leave no place to exchange anything.
  std::unique_ptr<StepSeries> series(const SeriesPlan& /*plan*/) override { return nullptr; }

 protected:
  /// Before somebody reads tensors whole: gets what other ranks have of them.
  virtual void read(std::initializer_list<Tensor> tensors) {
    for (const Tensor& t : tensors) complete(t);
  }
};

}  // namespace unmask
