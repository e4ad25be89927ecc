// The CPU backend: shapes checked, work split over the pool, kernels called through the table.
#include "kernels/backend.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "core/parallel.h"
#include "core/platform/processor.h"
#include "kernels/cpu/attention.h"
#include "kernels/cpu/each_row.h"
#include "kernels/cpu/experts.h"
#include "kernels/cpu/products.h"
#include "kernels/cpu/reserve.h"
#include "kernels/cpu/split_products.h"
#include "kernels/cpu/variants.h"
#include "kernels/create_backend.h"
#include "kernels/ranks/column_split.h"
#include "kernels/split_attention.h"
#include "kernels/token_stats.h"

namespace unmask {

namespace {

/// bf16 where the weights are rounded anyway and the processor multiplies it; else float32.
const cpu::AttentionKernels& attention_kernels(const cpu::KernelTable& table, WeightType weights) {
  const bool narrow = weights != WeightType::f32 && table.bf16_attention != nullptr;
  return narrow ? *table.bf16_attention : table.f32_attention;
}

class CpuBackend final : public Backend {
 public:
  /// `columns`: where there are ranks; outlives this.
  CpuBackend(const CpuOptions& options, SplitColumns* columns)
      : columns_(columns),
        pool_(options.threads == 0 ? available_threads() : options.threads, options.stop),
        table_(cpu::select_variant(options.kernels).table()),
        weights_(options.weights),
        experts_(pool_, table_,
                 [this](Tensor x, auto maps, auto rows) { multiply_once(x, maps, rows); }),
        attention_(pool_, attention_kernels(table_, options.weights)) {
    if (weights_ != WeightType::stored) products(weights_);  // named by describe()
  }

  std::string describe() const override {
    std::vector<std::string_view> names;
    for (const auto& products : products_) {
      if (products != nullptr) names.push_back(products->name());
    }
    return fmt::format("cpu {}, {} thread{}, products: {}", table_.name, pool_.threads(),
                       pool_.threads() == 1 ? "" : "s", fmt::join(names, ", "));
  }

  Buffer allocate(size_t bytes) override { return allocate_host(bytes); }
  void upload(const float* host, Tensor out) override { copy(host, out); }
  void download(Tensor from, float* host) override {
    for (int r = 0; r < from.rows; ++r) {
      std::copy_n(from.f32(r), from.cols, host + int64_t{r} * from.cols);
    }
  }
  bool takes_panels(const HostMatrix& weights) const override {
    return weights_ == WeightType::stored || weights.format == weights_;
  }
  std::unique_ptr<PackedMatrix> pack(const HostMatrix& weights) override {
    WeightType type = weights.format.value_or(weights_);
    if (type == WeightType::stored && !weights.blocks) {
      type = exact_type(weights.dtype);
    }
    return products(type).pack(weights);
  }

  void embed(std::span<const TokenId> tokens, const HostMatrix& table, Tensor out) override;
  using Backend::linear;
  void linear(Tensor x, std::span<const LinearMap> maps) override { multiply(x, maps, {}); }
  void experts(Tensor x, const Experts& experts, Tensor out, Into into) override {
    experts_.run(x, experts, out, into);
  }
  void rms_norm(Tensor x, Tensor weight, float eps, Tensor out) override;
  void rope(Tensor x, std::span<const int> positions, const Rotation& rotation) override;
  void attention(std::span<const AttentionTask> tasks, const HeadShape& shape) override {
    const auto attend = [this](auto some, const HeadShape& of) { attention_.run(some, of); };
    if (columns_ == nullptr) return attend(tasks, shape);
    const HeadResults results = attend_own_heads(tasks, shape, attend, columns_->ranks());
    for (const CutColumns& out : results.outs) columns_->mark(out);
    if (!results.measured.empty()) columns_->gather().run(results.measured);
  }
  void add(Tensor x, Tensor y) override;
  void extrapolate(Tensor x, Tensor y, float scale) override;
  void gather(Tensor from, const Rows& rows, Tensor out) override;
  void scatter(Tensor from, const Rows& rows, Tensor out) override;
  void token_stats(Tensor logits, std::span<const int> positions, const TokenQuery& query,
                   std::span<TokenStats> out) override;
  void mean_query_scores(Tensor q, Tensor k, const HeadShape& shape, std::span<float> out) override;
  void attention_mass(Tensor q, const Rows& rows, Tensor k, const HeadShape& shape,
                      std::span<float> out) override;
  void cosine_rows(Tensor a, Tensor b, std::span<float> out) override;
  void row_changes(Tensor a, Tensor b, const Rows& rows, std::span<float> out) override;

 private:
  /// Products::multiply of maps that may differ in format.
  void multiply(Tensor x, std::span<const LinearMap> maps, std::span<const Range> rows);
  /// The same of an x that nobody reads afterwards.
  void multiply_once(Tensor x, std::span<const LinearMap> maps, std::span<const Range> rows) {
    multiply(x, maps, rows);
    if (columns_ != nullptr) columns_->forget(x);
  }
  /// Rotations of the positions from 0 on: [positions, head_dim], cosines before sines.
  struct Angles {
    Buffer values;
    int positions = 0;
    Rotation rotation{};
  };
  /// At least those of so many positions.
  const float* angles(int positions, const Rotation& rotation);

  static void copy(const float* host, Tensor out) {
    for (int r = 0; r < out.rows; ++r) {
      std::copy_n(host + int64_t{r} * out.cols, out.cols, out.f32(r));
    }
  }

  /// Products with weights of that type.
  cpu::Products& products(WeightType type) {
    auto& known = products_[static_cast<size_t>(type)];
    if (known == nullptr) {
      auto own = cpu::create_packed_products(type, table_, pool_);
      if (columns_ == nullptr) {
        known = std::move(own);
      } else {
        known = cpu::create_split_products(std::move(own), *columns_);
      }
    }
    return *known;
  }

  SplitColumns* columns_;
  ThreadPool pool_;
  const cpu::KernelTable& table_;
  WeightType weights_;  // of matrices that say nothing else
  /// By type, once needed.
  std::array<std::unique_ptr<cpu::Products>, kAllWeightTypes> products_;
  Angles angles_;
  cpu::ExpertProducts experts_;
  cpu::Attention attention_;
};

void CpuBackend::embed(std::span<const TokenId> tokens, const HostMatrix& table, Tensor out) {
  UNMASK_CHECK(out.cols == table.in && out.rows == static_cast<int>(tokens.size()),
               "shape of the embedding");
  for (const TokenId id : tokens) {
    if (id < 0 || id >= table.out) {
      fail("[embed] token id {} is outside the vocabulary of {}", id, table.out);
    }
  }
  cpu::each_row(pool_, out.rows,
                [&](int r) { table.widen_row(tokens[static_cast<size_t>(r)], out.f32(r)); });
}

void CpuBackend::multiply(Tensor x, std::span<const LinearMap> maps, std::span<const Range> rows) {
  for (size_t i = 0; i < maps.size(); ++i) {
    const LinearMap& map = maps[i];
    UNMASK_CHECK(x.cols == map.weights->in() && map.out.cols == map.weights->out() &&
                     map.out.rows == (rows.empty() ? x.rows : rows[i].size()),
                 "shapes of a product do not fit");
    UNMASK_CHECK(!map.bias || map.bias.cols == map.out.cols, "shape of a bias");
  }
  if (x.rows == 0) return;
  const auto products_of = [](const LinearMap& map) {
    return &dynamic_cast<const cpu::CpuMatrix&>(*map.weights).products();
  };
  while (!maps.empty()) {  // those that follow each other share their packed input
    size_t count = 1;
    while (count < maps.size() && products_of(maps[count]) == products_of(maps[0])) ++count;
    products_of(maps[0])->multiply(x, maps.first(count), rows.first(rows.empty() ? 0 : count));
    maps = maps.subspan(count);
    rows = rows.subspan(rows.empty() ? 0 : count);
  }
}

void CpuBackend::rms_norm(Tensor x, Tensor weight, float eps, Tensor out) {
  UNMASK_CHECK(weight.cols == x.cols && out.cols == x.cols && out.rows == x.rows,
               "shapes of a norm");
  cpu::each_row(pool_, x.rows,
                [&](int r) { table_.rms_norm(x.f32(r), weight.f32(), eps, x.cols, out.f32(r)); });
}

const float* CpuBackend::angles(int positions, const Rotation& rotation) {
  Angles& known = angles_;
  if (positions <= known.positions && known.rotation == rotation) {
    return static_cast<const float*>(known.values.data());
  }
  // Half as many more: a text that grows token by token would compute them all again and again.
  const int more = positions + positions / 2;
  const int head_dim = rotation.head_dim();
  known.positions = 0;  // until they are computed: that may be stopped
  float* values = cpu::reserve(known.values, int64_t{more} * head_dim);
  const int half = head_dim / 2;
  cpu::each_row(pool_, more, [&](int position) {
    float* cos = values + int64_t{position} * head_dim;
    for (int i = 0; i < half; ++i) {
      const float angle =
          static_cast<float>(position) * rotation.frequencies[static_cast<size_t>(i)];
      cos[i] = std::cos(angle) * rotation.scale;
      cos[i + half] = std::sin(angle) * rotation.scale;
    }
  });
  known.positions = more;
  known.rotation = rotation;
  return values;
}

void CpuBackend::rope(Tensor x, std::span<const int> positions, const Rotation& rotation) {
  const int head_dim = rotation.head_dim();
  UNMASK_CHECK(static_cast<int>(positions.size()) == x.rows && x.cols % head_dim == 0,
               "shapes of a rotation");
  if (x.rows == 0) return;
  const auto [least, most] = std::minmax_element(positions.begin(), positions.end());
  UNMASK_CHECK(*least >= 0, "a position below 0");
  const float* table = angles(*most + 1, rotation);
  cpu::each_row(pool_, x.rows, [&](int r) {
    const float* cos = table + int64_t{positions[static_cast<size_t>(r)]} * head_dim;
    const float* sin = cos + head_dim / 2;
    for (int c = 0; c < x.cols; c += head_dim) table_.rope(x.f32(r) + c, cos, sin, head_dim);
  });
}

void CpuBackend::add(Tensor x, Tensor y) {
  UNMASK_CHECK(x.rows == y.rows && x.cols == y.cols, "shapes of a sum");
  cpu::each_row(pool_, x.rows, [&](int r) { table_.add(x.f32(r), y.f32(r), x.cols); });
}

void CpuBackend::extrapolate(Tensor x, Tensor y, float scale) {
  UNMASK_CHECK(x.rows == y.rows && x.cols == y.cols, "shapes of an extrapolation");
  cpu::each_row(pool_, x.rows, [&](int r) {
    for (int c = 0; c < x.cols; ++c) {
      x.f32(r)[c] = y.f32(r)[c] + scale * (x.f32(r)[c] - y.f32(r)[c]);
    }
  });
}

void CpuBackend::gather(Tensor from, const Rows& rows, Tensor out) {
  UNMASK_CHECK(out.rows == rows.size() && out.cols == from.cols, "shapes of a gather");
  cpu::each_row(pool_, out.rows,
                [&](int r) { std::copy_n(from.f32(rows[r]), from.cols, out.f32(r)); });
}

void CpuBackend::scatter(Tensor from, const Rows& rows, Tensor out) {
  UNMASK_CHECK(from.rows == rows.size() && out.cols == from.cols, "shapes of a scatter");
  cpu::each_row(pool_, from.rows,
                [&](int r) { std::copy_n(from.f32(r), from.cols, out.f32(rows[r])); });
}

void CpuBackend::token_stats(Tensor logits, std::span<const int> positions, const TokenQuery& query,
                             std::span<TokenStats> out) {
  UNMASK_CHECK(static_cast<int>(positions.size()) == logits.rows && out.size() == positions.size(),
               "shapes of token statistics");
  pool_.run(logits.rows, [&](int r, int) {
    const auto i = static_cast<size_t>(r);
    out[i] = reduce_row({logits.f32(r), static_cast<size_t>(logits.cols)}, positions[i], query,
                        table_.row_math);
  });
}

void CpuBackend::mean_query_scores(Tensor q, Tensor k, const HeadShape& shape,
                                   std::span<float> out) {
  UNMASK_CHECK(q.rows > 0 && q.cols == shape.n_heads * shape.head_dim &&
                   k.cols == shape.n_kv_heads * shape.head_dim &&
                   out.size() == static_cast<size_t>(k.rows),
               "shapes of scores");
  // Both means come before the products: one dot product a key is left.
  std::vector<double> mean(static_cast<size_t>(k.cols));
  const int group = shape.n_heads / shape.n_kv_heads;
  for (int r = 0; r < q.rows; ++r) {
    for (int c = 0; c < q.cols; ++c) {
      const int kv_column = c / shape.head_dim / group * shape.head_dim + c % shape.head_dim;
      mean[static_cast<size_t>(kv_column)] += q.f32(r)[c];
    }
  }
  for (double& m : mean) m /= static_cast<double>(q.rows) * shape.n_heads;
  cpu::each_row(pool_, k.rows, [&](int j) {
    double sum = 0;
    for (int c = 0; c < k.cols; ++c) sum += mean[static_cast<size_t>(c)] * k.f32(j)[c];
    out[static_cast<size_t>(j)] = static_cast<float>(sum);
  });
}

void CpuBackend::attention_mass(Tensor q, const Rows& rows, Tensor k, const HeadShape& shape,
                                std::span<float> out) {
  const auto keys = static_cast<size_t>(k.rows);
  UNMASK_CHECK(q.cols == shape.n_heads * shape.head_dim &&
                   k.cols == shape.n_kv_heads * shape.head_dim &&
                   out.size() == keys * static_cast<size_t>(shape.n_kv_heads),
               "shapes of an attention mass");
  const int dim = shape.head_dim;
  const int group = shape.n_heads / shape.n_kv_heads;
  const float scale = 1 / std::sqrt(static_cast<float>(dim));
  pool_.run(shape.n_kv_heads, [&](int kv_head, int) {
    const std::span<float> sums = out.subspan(static_cast<size_t>(kv_head) * keys, keys);
    std::fill(sums.begin(), sums.end(), 0.0F);
    std::vector<float> scores(keys);
    for (const int r : rows) {
      for (int head = kv_head * group; head < (kv_head + 1) * group; ++head) {
        table_.dots(q.f32(r) + head * dim, k.f32() + kv_head * dim, k.stride, k.rows, dim,
                    scores.data());
        for (float& score : scores) score *= scale;
        table_.softmax_add(scores.data(), k.rows, sums.data());
      }
    }
  });
}

void CpuBackend::cosine_rows(Tensor a, Tensor b, std::span<float> out) {
  UNMASK_CHECK(a.rows == b.rows && a.cols == b.cols && out.size() == static_cast<size_t>(a.rows),
               "shapes of similarities");
  cpu::each_row(pool_, a.rows, [&](int r) {
    double dot = 0;
    double aa = 0;
    double bb = 0;
    for (int c = 0; c < a.cols; ++c) {
      const double x = a.f32(r)[c];
      const double y = b.f32(r)[c];
      dot += x * y;
      aa += x * x;
      bb += y * y;
    }
    out[static_cast<size_t>(r)] =
        aa > 0 && bb > 0 ? static_cast<float>(dot / std::sqrt(aa * bb)) : 0;
  });
}

void CpuBackend::row_changes(Tensor a, Tensor b, const Rows& rows, std::span<float> out) {
  UNMASK_CHECK(
      a.rows == rows.size() && a.cols == b.cols && out.size() == static_cast<size_t>(a.rows),
      "shapes of changes");
  // Plain double sums: 64 rows of 4,096 take 0.3 ms, a thousandth of the layers before them.
  cpu::each_row(pool_, a.rows, [&](int r) {
    const float* now = a.f32(r);
    const float* before = b.f32(rows[r]);
    double distance = 0;
    double squares = 0;
    for (int c = 0; c < a.cols; ++c) {
      distance += std::abs(static_cast<double>(now[c]) - before[c]);
      squares += static_cast<double>(before[c]) * before[c];
    }
    out[static_cast<size_t>(r)] =
        static_cast<float>(distance / a.cols / (std::sqrt(squares / a.cols) + 1e-6));
  });
}

}  // namespace

std::unique_ptr<Backend> create_cpu_backend(const CpuOptions& options) {
  if (options.threads < 0) fail("[threads] found {}, expected at least 1", options.threads);
  if (options.ranks == nullptr) return std::make_unique<CpuBackend>(options, nullptr);
  return create_column_split(*options.ranks, [&](SplitColumns& columns) {
    return std::make_unique<CpuBackend>(options, &columns);
  });
}

}  // namespace unmask
