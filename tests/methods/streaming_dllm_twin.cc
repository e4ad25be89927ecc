#include "methods/streaming_dllm_twin.h"

#include <algorithm>
#include <cmath>

namespace unmask::testing {

namespace {

using Row = PlainModel::Row;

struct Best {
  int position;
  TokenId token;
  double probability;
};

/// The most probable token that is no mask; its probability is that among all tokens.
Best best_of(int position, const Row& logits, TokenId mask) {
  Best best{position, -1, 0};
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

}  // namespace

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
  const auto layers = static_cast<size_t>(config_.n_layers);
  return {std::vector<std::map<int, Row>>(layers), std::vector<std::map<int, Row>>(layers)};
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
  std::map<int, Row> queries;
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

std::map<int, Row> PlainModel::logits(const std::vector<int>& positions,
                                      const std::vector<TokenId>& tokens, Cache& cache) const {
  const Matrix& embedding = matrix(TensorRole::embedding);
  std::map<int, Row> hidden;
  for (const int p : positions) {
    const auto row = embedding.values.begin() +
                     static_cast<std::ptrdiff_t>(tokens[static_cast<size_t>(p)]) * embedding.in;
    hidden[p] = Row(row, row + embedding.in);
  }
  for (int l = 0; l < config_.n_layers; ++l) layer(l, hidden, cache);
  const Matrix& head = config_.tied_head ? embedding : matrix(TensorRole::head);
  for (auto& [position, x] : hidden) x = times(head, normed(TensorRole::final_norm, -1, x));
  return hidden;
}

std::vector<TokenId> streaming_dllm_twin(const PlainModel& model, StreamingTwinRequest r) {
  const TokenId mask = model.config().mask_id;
  const int shift = model.config().logit_shift;
  const auto length = static_cast<int>(r.tokens.size());
  const auto masked = [&](int p) { return r.tokens[static_cast<size_t>(p)] == mask; };
  for (int begin = r.prompt_length; begin < length; begin += r.block_length) {
    const int end = begin + r.block_length;
    // What a pass computes behind its first row: the block, the window and the last position.
    std::vector<int> tail;
    for (int p = begin; p < std::min(length, end + r.window); ++p) tail.push_back(p);
    if (tail.back() != length - 1) tail.push_back(length - 1);
    PlainModel::Cache cache = model.empty_cache();
    for (bool first = true;; first = false) {
      std::vector<int> masks;
      for (int p = begin; p < end; ++p) {
        if (masked(p)) masks.push_back(p);
      }
      if (masks.empty()) break;
      std::vector<int> rows = tail;
      double threshold = r.threshold;
      if (first) {
        for (int p = begin - 1; p >= 0; --p) rows.insert(rows.begin(), p);
      } else {
        const auto left = std::count_if(tail.begin(), tail.end(), masked);
        const double share = static_cast<double>(left) / static_cast<double>(tail.size());
        threshold *= 1 - r.alpha * (1 - share);
      }
      const std::map<int, Row> logits = model.logits(rows, r.tokens, cache);
      // Where a row predicts its right neighbour, later passes lack the first position's row.
      if (first && shift > 0) masks = {begin};
      std::vector<Best> sure;
      for (const int p : masks) {
        sure.push_back(best_of(p, logits.at(std::max(0, p - shift)), mask));
      }
      const auto surest = *std::max_element(
          sure.begin(), sure.end(),
          [](const Best& a, const Best& b) { return a.probability < b.probability; });
      for (const Best& b : sure) {
        const bool decided = b.probability >= threshold || b.position == surest.position;
        if (decided) r.tokens[static_cast<size_t>(b.position)] = b.token;
      }
    }
    for (int p = r.prompt_length; p < end; ++p) {
      const TokenId token = r.tokens[static_cast<size_t>(p)];
      if (std::find(r.ends.begin(), r.ends.end(), token) == r.ends.end()) continue;
      std::replace(r.tokens.begin(), r.tokens.end(), mask, token);
      return r.tokens;
    }
  }
  return r.tokens;
}

}  // namespace unmask::testing
