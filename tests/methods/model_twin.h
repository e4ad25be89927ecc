// The transformer written down once more: plain loops in double precision over a checkpoint,
// nothing of the engine but its files.
#pragma once

#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "io/containers/tensor_directory.h"
#include "io/model_config.h"
#include "model/families.h"

namespace unmask::testing {

/// The model alone: logits of some rows of a canvas, over keys that the caller keeps.
class PlainModel {
 public:
  using Row = std::vector<double>;
  /// Keys and values by position, one map a layer, and the queries of the last pass.
  struct Cache {
    std::vector<std::map<int, Row>> keys, values, queries;
  };

  PlainModel(const TensorDirectory& checkpoint, const ModelConfig& config);
  const ModelConfig& config() const { return config_; }
  Cache empty_cache() const;

  /// Logits of the rows at `positions`, which overwrite their places in the cache and attend to all
  /// that it holds then. `after` sees the hidden states after a layer; rows that it takes away go
  /// no further.
  std::map<int, Row> logits(
      const std::vector<int>& positions, const std::vector<TokenId>& tokens, Cache& cache,
      const std::function<void(int layer, std::map<int, Row>& hidden)>& after = {}) const;

 private:
  struct Matrix {
    int out = 0, in = 0;
    std::vector<float> values;
  };
  const Matrix& matrix(TensorRole role, int layer = -1) const;
  static Row times(const Matrix& m, const Row& x);
  Row project(TensorRole role, TensorRole bias, int layer, const Row& x) const;
  Row normed(TensorRole role, int layer, const Row& x) const;
  void rotate(Row& x, int position) const;
  Row attend(const Row& q, const std::map<int, Row>& keys, const std::map<int, Row>& values) const;
  void layer(int l, std::map<int, Row>& hidden, Cache& cache) const;

  ModelConfig config_;
  std::map<std::pair<TensorRole, int>, Matrix> matrices_;
};

/// A token for a mask.
struct PlainChoice {
  int position;
  TokenId token;
  double probability;
};

/// The most probable token that is no mask; its probability is that among all tokens.
PlainChoice best_of(int position, const PlainModel::Row& logits, TokenId mask);

}  // namespace unmask::testing
