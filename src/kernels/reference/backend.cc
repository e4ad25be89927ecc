// The oracle: every operation as its formula, plain loops, sums in double precision, one thread.
#include "kernels/backend.h"

#include <algorithm>
#include <cmath>

#include "kernels/create_backend.h"
#include "kernels/plain_row_math.h"
#include "kernels/reference/attention.h"
#include "kernels/token_stats.h"

namespace unmask {

namespace {

class PlainMatrix final : public PackedMatrix {
 public:
  explicit PlainMatrix(const HostMatrix& w) : PackedMatrix(w.out, w.in) {
    const WeightType type = w.format.value_or(WeightType::f32);
    if (type != WeightType::f32 && type != WeightType::stored) {
      fail(ErrorCode::weight_type, "[reference] weights: found {}, expected f32 or stored",
           weight_type_name(type));
    }
    const auto width = static_cast<size_t>(w.in);
    values.resize(static_cast<size_t>(w.out) * width);
    for (int r = 0; r < w.out; ++r) {
      w.widen_row(r, values.data() + static_cast<size_t>(r) * width);
    }
  }
  size_t bytes() const override { return values.size() * sizeof(float); }
  std::vector<float> values;  // [out, in]
};

/// One row of a map.
void apply(const float* x, const LinearMap& map, int row) {
  const auto& w = dynamic_cast<const PlainMatrix&>(*map.weights);
  for (int o = 0; o < w.out(); ++o) {
    double y = map.bias ? map.bias.f32()[o] : 0;
    const float* weights = w.values.data() + int64_t{o} * w.in();
    for (int i = 0; i < w.in(); ++i) y += static_cast<double>(x[i]) * weights[i];
    float& out = map.out.f32(row)[o];
    const double old = out;
    switch (map.into) {
      case Into::store: out = static_cast<float>(y); break;
      case Into::add: out = static_cast<float>(old + y); break;
      case Into::gate: out = static_cast<float>(old / (1 + std::exp(-old)) * y); break;
    }
  }
}

/// The experts of one row and their weights.
std::vector<RoutedExpert> route(const float* x, const Experts& experts) {
  std::vector<float> logits;
  for (int e = 0; e < experts.router.rows; ++e) {
    double logit = 0;
    for (int i = 0; i < experts.router.cols; ++i) {
      logit += static_cast<double>(x[i]) * experts.router.f32(e)[i];
    }
    logits.push_back(static_cast<float>(logit));
  }
  std::span<const float> bias;
  if (experts.router_bias) bias = {experts.router_bias.f32(), logits.size()};
  return choose_experts(logits, bias, experts.routing);
}

class ReferenceBackend final : public Backend {
 public:
  std::string describe() const override { return "reference"; }

  Buffer allocate(size_t bytes) override { return allocate_host(bytes); }
  void upload(const float* host, Tensor out) override {
    for (int r = 0; r < out.rows; ++r) {
      std::copy_n(host + int64_t{r} * out.cols, out.cols, out.f32(r));
    }
  }
  void download(Tensor from, float* host) override {
    for (int r = 0; r < from.rows; ++r) {
      std::copy_n(from.f32(r), from.cols, host + int64_t{r} * from.cols);
    }
  }
  std::unique_ptr<PackedMatrix> pack(const HostMatrix& weights) override {
    return std::make_unique<PlainMatrix>(weights);
  }

  void embed(std::span<const TokenId> tokens, const HostMatrix& table, Tensor out) override {
    for (int r = 0; r < out.rows; ++r) {
      const TokenId id = tokens[static_cast<size_t>(r)];
      if (id < 0 || id >= table.out) {
        fail("[embed] token id {} is outside the vocabulary of {}", id, table.out);
      }
      table.widen_row(id, out.f32(r));
    }
  }

  using Backend::linear;
  void linear(Tensor x, std::span<const LinearMap> maps) override {
    for (const LinearMap& map : maps) {
      for (int r = 0; r < x.rows; ++r) apply(x.f32(r), map, r);
    }
  }

  void experts(Tensor x, const Experts& experts, Tensor out, Into into) override {
    UNMASK_CHECK(into != Into::gate, "the output of experts gates nothing");
    for (int r = 0; r < x.rows; ++r) {
      const Tensor row = x.slice({r, r + 1});
      std::vector<double> sum(static_cast<size_t>(out.cols));
      if (into == Into::add) std::copy_n(out.f32(r), out.cols, sum.begin());
      for (const auto& [expert, weight] : route(row.f32(), experts)) {
        add_gated(row, experts.maps[static_cast<size_t>(expert)], weight, sum);
      }
      if (experts.shared != nullptr) add_gated(row, *experts.shared, 1, sum);
      std::copy(sum.begin(), sum.end(), out.f32(r));
    }
  }

  void rms_norm(Tensor x, Tensor weight, float eps, Tensor out) override {
    for (int r = 0; r < x.rows; ++r) {
      double squares = 0;
      for (int c = 0; c < x.cols; ++c) squares += static_cast<double>(x.f32(r)[c]) * x.f32(r)[c];
      const double scale = 1 / std::sqrt(squares / x.cols + eps);
      for (int c = 0; c < x.cols; ++c) {
        out.f32(r)[c] = static_cast<float>(x.f32(r)[c] * scale * weight.f32()[c]);
      }
    }
  }

  void rope(Tensor x, std::span<const int> positions, const Rotation& rotation) override {
    const int head_dim = rotation.head_dim();
    const int half = head_dim / 2;
    for (int r = 0; r < x.rows; ++r) {
      for (int c = 0; c < x.cols; c += head_dim) {
        for (int i = 0; i < half; ++i) {
          const double angle = positions[static_cast<size_t>(r)] *
                               static_cast<double>(rotation.frequencies[static_cast<size_t>(i)]);
          const double cos = std::cos(angle) * rotation.scale;
          const double sin = std::sin(angle) * rotation.scale;
          float& a = x.f32(r)[c + i];
          float& b = x.f32(r)[c + i + half];
          const double rotated = a * cos - b * sin;
          b = static_cast<float>(b * cos + a * sin);
          a = static_cast<float>(rotated);
        }
      }
    }
  }

  void attention(std::span<const AttentionTask> tasks, const HeadShape& shape) override {
    for (const AttentionTask& task : tasks) reference_attention(task, shape);
  }

  void add(Tensor x, Tensor y) override {
    for (int r = 0; r < x.rows; ++r) {
      for (int c = 0; c < x.cols; ++c) x.f32(r)[c] += y.f32(r)[c];
    }
  }

  void extrapolate(Tensor x, Tensor y, float scale) override {
    for (int r = 0; r < x.rows; ++r) {
      for (int c = 0; c < x.cols; ++c) {
        x.f32(r)[c] = y.f32(r)[c] + scale * (x.f32(r)[c] - y.f32(r)[c]);
      }
    }
  }

  void gather(Tensor from, const Rows& rows, Tensor out) override {
    for (int r = 0; r < out.rows; ++r) std::copy_n(from.f32(rows[r]), from.cols, out.f32(r));
  }

  void scatter(Tensor from, const Rows& rows, Tensor out) override {
    for (int r = 0; r < from.rows; ++r) std::copy_n(from.f32(r), from.cols, out.f32(rows[r]));
  }

  void token_stats(Tensor logits, std::span<const int> positions, const TokenQuery& query,
                   std::span<TokenStats> out) override {
    for (int r = 0; r < logits.rows; ++r) {
      const auto i = static_cast<size_t>(r);
      out[i] = reduce_row({logits.f32(r), static_cast<size_t>(logits.cols)}, positions[i], query,
                          plain_row_math());
    }
  }

  void mean_query_scores(Tensor q, Tensor k, const HeadShape& shape,
                         std::span<float> out) override {
    const int dim = shape.head_dim;
    for (int j = 0; j < k.rows; ++j) {
      double sum = 0;
      for (int r = 0; r < q.rows; ++r) {
        for (int head = 0; head < shape.n_heads; ++head) {
          const float* query = q.f32(r) + head * dim;
          const float* key = k.f32(j) + head / (shape.n_heads / shape.n_kv_heads) * dim;
          for (int d = 0; d < dim; ++d) sum += static_cast<double>(query[d]) * key[d];
        }
      }
      out[static_cast<size_t>(j)] = static_cast<float>(sum / q.rows / shape.n_heads);
    }
  }

  void attention_mass(Tensor q, const Rows& rows, Tensor k, const HeadShape& shape,
                      std::span<float> out) override {
    const int dim = shape.head_dim;
    std::vector<double> sums(out.size());
    std::vector<double> weights(static_cast<size_t>(k.rows));
    for (const int r : rows) {
      for (int head = 0; head < shape.n_heads; ++head) {
        const int kv_head = head / (shape.n_heads / shape.n_kv_heads);
        double total = 0;
        for (int j = 0; j < k.rows; ++j) {
          double score = 0;
          for (int d = 0; d < dim; ++d) {
            score += static_cast<double>(q.f32(r)[head * dim + d]) * k.f32(j)[kv_head * dim + d];
          }
          total += weights[static_cast<size_t>(j)] = std::exp(score / std::sqrt(dim));
        }
        double* sum = sums.data() + static_cast<size_t>(kv_head) * weights.size();
        for (size_t j = 0; j < weights.size(); ++j) sum[j] += weights[j] / total;
      }
    }
    std::copy(sums.begin(), sums.end(), out.begin());
  }

  void cosine_rows(Tensor a, Tensor b, std::span<float> out) override {
    for (int r = 0; r < a.rows; ++r) {
      double dot = 0;
      double aa = 0;
      double bb = 0;
      for (int c = 0; c < a.cols; ++c) {
        dot += static_cast<double>(a.f32(r)[c]) * b.f32(r)[c];
        aa += static_cast<double>(a.f32(r)[c]) * a.f32(r)[c];
        bb += static_cast<double>(b.f32(r)[c]) * b.f32(r)[c];
      }
      out[static_cast<size_t>(r)] =
          aa > 0 && bb > 0 ? static_cast<float>(dot / std::sqrt(aa) / std::sqrt(bb)) : 0;
    }
  }

  void row_changes(Tensor a, Tensor b, const Rows& rows, std::span<float> out) override {
    for (int r = 0; r < a.rows; ++r) {
      double distance = 0;
      double squares = 0;
      for (int c = 0; c < a.cols; ++c) {
        distance += std::abs(static_cast<double>(a.f32(r)[c]) - b.f32(rows[r])[c]);
        squares += std::pow(static_cast<double>(b.f32(rows[r])[c]), 2);
      }
      const double size = std::sqrt(squares / a.cols) + 1e-6;
      out[static_cast<size_t>(r)] = static_cast<float>(distance / a.cols / size);
    }
  }

 private:
  /// Adds the weighted output of a gated feed-forward of one row.
  void add_gated(Tensor row, const GatedMaps& maps, double weight, std::vector<double>& sum) {
    std::vector<float> inner(static_cast<size_t>(maps.gate->out()));
    std::vector<float> y(sum.size());
    const auto tensor = [](std::vector<float>& v) {
      const auto n = static_cast<int>(v.size());
      return Tensor{v.data(), DType::f32, 1, n, n};
    };
    linear(row, {maps.gate, tensor(inner)});
    linear(row, {.weights = maps.up, .out = tensor(inner), .into = Into::gate});
    linear(tensor(inner), {maps.down, tensor(y)});
    for (size_t c = 0; c < sum.size(); ++c) sum[c] += weight * y[c];
  }
};

}  // namespace

std::unique_ptr<Backend> create_reference_backend() { return std::make_unique<ReferenceBackend>(); }

}  // namespace unmask
