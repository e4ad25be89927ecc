#include "methods/model_twin.h"

#include <algorithm>
#include <cmath>

namespace unmask::testing {

namespace {

using Row = PlainModel::Row;

}  // namespace

PlainChoice best_of(int position, const PlainModel::Row& logits, TokenId mask) {
  PlainChoice best{position, -1, 0};
  double sum = 0;
  const double largest = *std::max_element(logits.begin(), logits.end());
  for (size_t t = 0; t < logits.size(); ++t) {
    const double p = std::exp(logits[t] - largest);
    sum += p;
    if (static_cast<TokenId>(t) == mask || (best.token >= 0 && p <= best.probability)) continue;
    best = {position, static_cast<TokenId>(t), p};
  }
  best.probability /= sum;
  return best;
}

PlainModel::PlainModel(const TensorDirectory& checkpoint, const ModelConfig& config)
    : config_(config) {
  for (const TensorSpec& spec : tensor_specs(config)) {
    const StoredTensor& stored = checkpoint.at(spec.name);
    Matrix m{static_cast<int>(spec.shape.front()), static_cast<int>(spec.shape.back()), {}};
    m.values.resize(static_cast<size_t>(stored.elements()));
    to_f32(stored.bytes.data(), stored.element_type(), m.values.size(), m.values.data());
    matrices_.emplace(std::pair(spec.role, spec.layer), std::move(m));
  }
}

PlainModel::Cache PlainModel::empty_cache() const {
  const std::vector<std::map<int, Row>> empty(static_cast<size_t>(config_.n_layers));
  return {empty, empty, empty};
}

const PlainModel::Matrix& PlainModel::matrix(TensorRole role, int layer) const {
  return matrices_.at({role, layer});
}

Row PlainModel::times(const Matrix& m, const Row& x) {
  Row y(static_cast<size_t>(m.out));
  for (size_t o = 0; o < y.size(); ++o) {
    for (size_t i = 0; i < x.size(); ++i) {
      y[o] += static_cast<double>(m.values[o * x.size() + i]) * x[i];
    }
  }
  return y;
}

Row PlainModel::project(TensorRole role, TensorRole bias, int layer, const Row& x) const {
  Row y = times(matrix(role, layer), x);
  if (!config_.qkv_bias) return y;
  for (size_t i = 0; i < y.size(); ++i) y[i] += static_cast<double>(matrix(bias, layer).values[i]);
  return y;
}

Row PlainModel::normed(TensorRole role, int layer, const Row& x) const {
  double squares = 0;
  for (const double v : x) squares += v * v;
  const auto n = static_cast<double>(x.size());
  const double scale = 1 / std::sqrt(squares / n + static_cast<double>(config_.norm_eps));
  Row y;
  for (size_t i = 0; i < x.size(); ++i) {
    y.push_back(x[i] * scale * static_cast<double>(matrix(role, layer).values[i]));
  }
  return y;
}

void PlainModel::rotate(Row& x, int position) const {
  const auto dim = static_cast<size_t>(config_.head_dim);
  for (size_t head = 0; head < x.size(); head += dim) {
    for (size_t i = 0; i < dim / 2; ++i) {
      const double power = -2.0 * static_cast<double>(i) / static_cast<double>(dim);
      const double angle = position * std::pow(static_cast<double>(config_.rope_theta), power);
      const double a = x[head + i];
      const double b = x[head + i + dim / 2];
      x[head + i] = a * std::cos(angle) - b * std::sin(angle);
      x[head + i + dim / 2] = b * std::cos(angle) + a * std::sin(angle);
    }
  }
}

Row PlainModel::attend(const Row& q, const std::map<int, Row>& keys,
                       const std::map<int, Row>& values) const {
  const auto dim = static_cast<size_t>(config_.head_dim);
  const auto group = static_cast<size_t>(config_.n_heads / config_.n_kv_heads);
  Row out(q.size());
  for (size_t head = 0; head < q.size() / dim; ++head) {
    const size_t kv = head / group * dim;
    double sum = 0;
    Row mean(dim);
    for (const auto& [position, key] : keys) {
      double score = 0;
      for (size_t d = 0; d < dim; ++d) score += q[head * dim + d] * key[kv + d];
      const double weight = std::exp(score / std::sqrt(static_cast<double>(dim)));
      sum += weight;
      for (size_t d = 0; d < dim; ++d) mean[d] += weight * values.at(position)[kv + d];
    }
    for (size_t d = 0; d < dim; ++d) out[head * dim + d] = mean[d] / sum;
  }
  return out;
}

void PlainModel::layer(int l, std::map<int, Row>& hidden, Cache& cache) const {
  using enum TensorRole;
  std::map<int, Row>& keys = cache.keys[static_cast<size_t>(l)];
  std::map<int, Row>& values = cache.values[static_cast<size_t>(l)];
  std::map<int, Row>& queries = cache.queries[static_cast<size_t>(l)];
  queries.clear();
  for (const auto& [position, x] : hidden) {
    const Row input = normed(attn_norm, l, x);
    queries[position] = project(q, q_bias, l, input);
    keys[position] = project(k, k_bias, l, input);
    values[position] = project(v, v_bias, l, input);
    rotate(queries[position], position);
    rotate(keys[position], position);
  }
  for (auto& [position, x] : hidden) {
    const Row attention = times(matrix(attn_out, l), attend(queries[position], keys, values));
    for (size_t i = 0; i < x.size(); ++i) x[i] += attention[i];
    const Row input = normed(ffn_norm, l, x);
    Row inner = times(matrix(gate, l), input);
    const Row factor = times(matrix(up, l), input);
    for (size_t i = 0; i < inner.size(); ++i) inner[i] *= factor[i] / (1 + std::exp(-inner[i]));
    const Row output = times(matrix(down, l), inner);
    for (size_t i = 0; i < x.size(); ++i) x[i] += output[i];
  }
}

std::map<int, Row> PlainModel::logits(
    const std::vector<int>& positions, const std::vector<TokenId>& tokens, Cache& cache,
    const std::function<void(int layer, std::map<int, Row>& hidden)>& after) const {
  const Matrix& embedding = matrix(TensorRole::embedding);
  std::map<int, Row> hidden;
  for (const int p : positions) {
    const auto row = embedding.values.begin() +
                     static_cast<std::ptrdiff_t>(tokens[static_cast<size_t>(p)]) * embedding.in;
    hidden[p] = Row(row, row + embedding.in);
  }
  for (int l = 0; l < config_.n_layers; ++l) {
    layer(l, hidden, cache);
    if (after) after(l, hidden);
  }
  const Matrix& head = config_.tied_head ? embedding : matrix(TensorRole::head);
  for (auto& [position, x] : hidden) x = times(head, normed(TensorRole::final_norm, -1, x));
  return hidden;
}

}  // namespace unmask::testing
