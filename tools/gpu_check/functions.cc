#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <numeric>
#include <random>
#include <set>

#include "gpu_check/parts.h"
#include "kernels/create_backend.h"
#include "kernels/select.h"

namespace unmask::tools {

namespace {

/// A matrix in the memory of two backends. The bfloat16 numbers among floats lose nothing where a
/// device rounds its inputs, so both backends compute with the same.
struct Pair {
  Buffer device_memory, reference_memory;
  Tensor device, reference;
};

class FunctionCheck {
 public:
  FunctionCheck(const MakeBackend& make, uint32_t seed, Report& report)
      : make_(make), random_(seed), report_(report) {}

  void run() {
    tokens();
    for (const DType type : std::set{DType::f32, device_->activation_type()}) {
      type_ = type;
      products();
      rows_and_cells();
      measures();
      attention({32, 32, 128}, 1000, 1000);  // heads of LLaDA-8B
      attention({28, 4, 128}, 33, 777);      // and of Dream-7B
      by_cudnn();
      experts({.rows = 1, .experts = 64, .routing = {.top_k = 8}});  // as LLaDA-MoE
      experts(
          {.rows = 32, .experts = 128, .routing = {.top_k = 8, .normalized = true}});  // as SDAR
      const Routing grouped{.top_k = 8,
                            .sigmoid = true,
                            .normalized = true,
                            .scale = 2.5F,
                            .groups = 8,
                            .groups_kept = 4};
      experts({.rows = 40, .experts = 256, .routing = grouped, .shared = true});  // as LLaDA2
      experts({.rows = 300, .experts = 16, .routing = {.top_k = 4}});
      experts({.rows = 900, .experts = 16, .routing = {.top_k = 4}, .shared = true});
      attention({4, 2, 40}, 129, 129);                     // a head size that is padded
      attention({16, 4, 128}, 1000, 1000, {.block = 32});  // a prefill of LLaDA2
      attention({16, 4, 128}, 64, 1000, {.block = 32});    // and a step
      patterns({8, 2, 128}, 1000, 128);
      patterns({4, 4, 64}, 500, 32);
    }
  }

 private:
  std::vector<float> values(int rows, int cols, float scale = 1) {
    std::normal_distribution<float> normal(0, scale);
    std::vector<float> out(static_cast<size_t>(rows) * static_cast<size_t>(cols));
    for (float& v : out) v = bf16_to_f32(f32_to_bf16(normal(random_)));
    return out;
  }
  Pair place(const std::vector<float>& host, int rows, int cols, DType type) {
    Pair pair{device_->allocate(dense_bytes(rows, cols, type)),
              reference_->allocate(host.size() * sizeof(float)),
              {},
              {}};
    pair.device = pair.device_memory.view(rows, cols, type);
    pair.reference = pair.reference_memory.view(rows, cols);
    device_->upload(host.data(), pair.device);
    reference_->upload(host.data(), pair.reference);
    return pair;
  }
  Pair random(int rows, int cols, float scale = 1) {
    return place(values(rows, cols, scale), rows, cols, type_);
  }
  /// Of the residual stream, of logits, biases and norms.
  Pair wide(int rows, int cols, float scale = 1) {
    return place(values(rows, cols, scale), rows, cols, DType::f32);
  }
  /// Filled with NaN: what is not written shows.
  Pair poisoned(int rows, int cols) {
    return place(std::vector<float>(static_cast<size_t>(rows) * static_cast<size_t>(cols),
                                    std::numeric_limits<float>::quiet_NaN()),
                 rows, cols, type_);
  }
  /// Calls work with each backend and its tensor of every pair.
  template <typename Work, typename... Pairs>
  void both(const Work& work, const Pairs&... pairs) {
    work(*device_, pairs.device...);
    work(*reference_, pairs.reference...);
  }

  /// |a - b| / |b|, at most `bound`.
  void compare(const std::string& what, std::span<const float> a, std::span<const float> b,
               double bound) {
    double difference = 0;
    double size = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      difference += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
      size += static_cast<double>(b[i]) * b[i];
    }
    const double error = std::sqrt(difference / std::max(size, 1e-30));
    report_.add({.part = "functions",
                 .what = fmt::format("{}, {}", what, dtype_name(type_)),
                 .value = std::isnan(error) ? std::numeric_limits<double>::infinity() : error,
                 .unit = "rel.",
                 .at_most = bound});
  }
  void compare(const std::string& what, const Pair& pair, double bound) {
    const auto n = static_cast<size_t>(pair.device.rows) * static_cast<size_t>(pair.device.cols);
    std::vector<float> a(n);
    std::vector<float> b(n);
    device_->download(pair.device, a.data());
    reference_->download(pair.reference, b.data());
    compare(what, a, b, bound);
  }

  void equal(const std::string& what, double share) {
    report_.add({.part = "functions",
                 .what = fmt::format("{}, {}", what, dtype_name(type_)),
                 .value = share,
                 .unit = "equal",
                 .at_least = 1});
  }

  /// What a value may differ by that is computed in float32 and kept in type_.
  double rounding(double in_float32) const {
    return type_ == DType::f32 ? in_float32 : std::max(in_float32, 4e-3);
  }

  void products();
  void rows_and_cells();
  void tokens();
  void measures();
  struct How {
    int block = 0;  // of a block-causal model, whose last positions the rows are; 0: all see all
    std::string by{};
  };
  void attention(const HeadShape& shape, int rows, int slots, const How& how);
  void attention(const HeadShape& shape, int rows, int slots) { attention(shape, rows, slots, {}); }
  struct ExpertShape {
    int rows;
    int experts;
    Routing routing;
    bool shared = false;
  };
  void experts(const ExpertShape& shape);
  /// The attention that gains are measured against is right, too.
  void by_cudnn();
  void patterns(const HeadShape& shape, int length, int block);

  const MakeBackend& make_;
  std::unique_ptr<Backend> device_ = make_({});
  std::unique_ptr<Backend> reference_ = create_reference_backend();
  std::mt19937 random_;
  Report& report_;
  DType type_ = DType::f32;  // of the device's inputs and outputs
};

void FunctionCheck::products() {
  for (const auto& [rows, in, out] : {std::array{1, 4096, 1024}, std::array{33, 4096, 1024},
                                      std::array{130, 1000, 515}, std::array{65, 33, 70}}) {
    const Pair x = random(rows, in);
    const Pair bias = wide(1, out);
    const Pair result = poisoned(rows, out);
    const std::vector<float> weights = values(out, in, 0.02F);
    const HostMatrix matrix{weights.data(), DType::f32, out, in};
    for (const Into into : {Into::store, Into::add, Into::gate}) {
      const auto apply = [&](Backend& b, Tensor i, Tensor c, Tensor o) {
        const auto packed = b.pack(matrix);
        b.linear(i, {packed.get(), o, c, into});
      };
      both(apply, x, bias, result);
      constexpr const char* kUses[] = {"stored", "added", "gated"};
      compare(
          fmt::format("linear {} x {} -> {}, {}", rows, in, out, kUses[static_cast<size_t>(into)]),
          result, into == Into::gate ? 1e-2 : rounding(1e-5));
    }
  }
}

void FunctionCheck::rows_and_cells() {
  const int rows = 301;
  const int cols = 4096;
  const Pair x = wide(rows, cols);
  const Pair y = random(rows, cols);
  const Pair weight = wide(1, cols);
  const Pair out = poisoned(rows, cols);
  both([](Backend& b, Tensor i, Tensor w, Tensor o) { b.rms_norm(i, w, 1e-5F, o); }, x, weight,
       out);
  compare("rms_norm", out, rounding(1e-5));
  std::vector<int> positions(static_cast<size_t>(rows));
  std::iota(positions.begin(), positions.end(), 60000);
  both([&](Backend& b, Tensor o) { b.rope(o, positions, plain_rotation(128, 500000.0F)); }, out);
  compare("rope at 60,000", out, 5e-3);  // float32 angles: 60,000 times their rounding
  both([](Backend& b, Tensor o, Tensor i) { b.add(o, i); }, x, y);
  both([](Backend& b, Tensor o, Tensor i) { b.extrapolate(o, i, 1.5F); }, x, y);
  compare("add, extrapolate", x, 1e-6);
  const Rows some(std::vector<int>{0, 7, 8, 300});
  const Pair picked = poisoned(some.size(), cols);
  both([&](Backend& b, Tensor i, Tensor o) { b.gather(i, some, o); }, x, picked);
  both([&](Backend& b, Tensor i, Tensor o) { b.scatter(i, Rows(Range{20, 24}), o); }, picked, y);
  compare("gather, scatter", y, rounding(1e-6));
}

void FunctionCheck::tokens() {
  const Pair logits = wide(64, 126464, 3);  // the vocabulary of LLaDA
  std::vector<int> positions(64);
  std::iota(positions.begin(), positions.end(), 5);
  for (const TokenQuery& query :
       {TokenQuery{},
        TokenQuery{.forbidden = {5}, .removed = {9, 70000}, .without_confidence = {3}},
        TokenQuery{.noise = Noise::categorical, .temperature = 0.7, .top_k = 40, .seed = 2}}) {
    std::vector<TokenStats> found(64);
    std::vector<TokenStats> expected(64);
    device_->token_stats(logits.device, positions, query, found);
    reference_->token_stats(logits.reference, positions, query, expected);
    std::vector<float> a;
    std::vector<float> b;
    int same = 0;
    for (size_t i = 0; i < found.size(); ++i) {
      same += found[i].token == expected[i].token ? 1 : 0;
      a.insert(a.end(), {found[i].probability, found[i].margin, found[i].neg_entropy});
      b.insert(b.end(), {expected[i].probability, expected[i].margin, expected[i].neg_entropy});
    }
    const std::string at = fmt::format("temperature {}", query.temperature);
    compare("token statistics, " + at, a, b, 1e-5);
    equal("chosen tokens, " + at, same / 64.0);
  }
}

void FunctionCheck::measures() {
  const HeadShape shape{28, 4, 128};
  const Pair q = random(32, shape.n_heads * shape.head_dim);
  const Pair k = random(1500, shape.n_kv_heads * shape.head_dim);
  const Pair moved = random(1500, shape.n_kv_heads * shape.head_dim);
  std::vector<float> found(1500);
  std::vector<float> expected(1500);
  device_->mean_query_scores(q.device, k.device, shape, found);
  reference_->mean_query_scores(q.reference, k.reference, shape, expected);
  compare("mean_query_scores", found, expected, 1e-4);
  device_->cosine_rows(k.device, moved.device, found);
  reference_->cosine_rows(k.reference, moved.reference, expected);
  compare("cosine_rows", found, expected, 1e-5);
  const Rows same(Range{0, 1500});
  device_->row_changes(k.device, moved.device, same, found);
  reference_->row_changes(k.reference, moved.reference, same, expected);
  compare("row_changes", found, expected, 1e-5);
  found.resize(6000);
  expected.resize(6000);
  const Rows rows(std::vector<int>{0, 3, 31});
  device_->attention_mass(q.device, rows, k.device, shape, found);
  reference_->attention_mass(q.reference, rows, k.reference, shape, expected);
  compare("attention_mass", found, expected, 1e-4);
}

// 5e-3: weights and results of attention in bfloat16, as the kernels' own tests ask.
constexpr double kAttentionError = 5e-3;

void FunctionCheck::by_cudnn() {
  if (!device_->describe().starts_with("cuda") || type_ != DType::bf16) return;
  auto other = make_({.attention = CudaAttention::cudnn});
  device_.swap(other);
  try {
    attention({32, 32, 128}, 1024, 1024, {.by = " by cuDNN"});
    attention({28, 4, 128}, 256, 768, {.by = " by cuDNN"});
  } catch (const Error& error) {
    report_.fail("functions", error.what());
  }
  device_.swap(other);
}

void FunctionCheck::attention(const HeadShape& shape, int rows, int slots, const How& how) {
  std::vector<int> ends;
  for (int p = slots - rows; how.block > 0 && p < slots; ++p) {
    ends.push_back(std::min(slots, (p / how.block + 1) * how.block));
  }
  const Pair q = random(rows, shape.n_heads * shape.head_dim);
  const Pair k = random(slots, shape.n_kv_heads * shape.head_dim);
  const Pair v = random(slots, shape.n_kv_heads * shape.head_dim);
  const Pair out = poisoned(rows, shape.n_heads * shape.head_dim);
  both(
      [&](Backend& b, Tensor tq, Tensor tk, Tensor tv, Tensor to) {
        const AttentionTask task{.q = tq, .kv = {tk, tv}, .out = to, .key_ends = ends};
        b.attention(std::span(&task, 1), shape);
      },
      q, k, v, out);
  compare(
      fmt::format("attention {} x {}, {} of {} heads of {}{}{}", rows, slots, shape.n_heads,
                  shape.n_kv_heads, shape.head_dim, ends.empty() ? "" : ", block-causal", how.by),
      out, kAttentionError);
}

void FunctionCheck::experts(const ExpertShape& shape) {
  constexpr int kDim = 384;
  constexpr int kWidth = 200;
  const int matrices = 3 * (shape.experts + (shape.shared ? 1 : 0));
  std::vector<std::vector<float>> weights;
  weights.reserve(static_cast<size_t>(matrices));
  for (int i = 0; i < matrices; ++i) weights.push_back(values(kWidth, kDim, 0.05F));
  const Pair x = random(shape.rows, kDim);
  const Pair router = wide(shape.experts, kDim, 0.05F);
  const Pair bias = wide(1, shape.experts, 0.01F);
  const Pair out = poisoned(shape.rows, kDim);
  const auto apply = [&](Backend& b, Tensor in, Tensor logits, Tensor offset, Tensor result) {
    std::vector<std::unique_ptr<PackedMatrix>> packed;
    packed.reserve(weights.size());
    for (size_t i = 0; i < weights.size(); ++i) {
      const bool down = i % 3 == 2;
      packed.push_back(
          b.pack({weights[i].data(), DType::f32, down ? kDim : kWidth, down ? kWidth : kDim}));
    }
    std::vector<GatedMaps> maps;
    maps.reserve(packed.size() / 3);
    for (size_t i = 0; i < packed.size(); i += 3) {
      maps.push_back({packed[i].get(), packed[i + 1].get(), packed[i + 2].get()});
    }
    const std::span<const GatedMaps> chosen(maps.data(), static_cast<size_t>(shape.experts));
    b.experts(in,
              {.router = logits,
               .router_bias = shape.routing.sigmoid ? offset : Tensor{},
               .maps = chosen,
               .shared = shape.shared ? &maps.back() : nullptr,
               .routing = shape.routing},
              result, Into::store);
  };
  both(apply, x, router, bias, out);
  // 1e-2: inner rows and outputs of experts in bfloat16. A row that took another expert is off by a
  // third or more.
  compare(fmt::format("experts, {} rows of {} of {}{}", shape.rows, shape.routing.top_k,
                      shape.experts, shape.shared ? " and a shared one" : ""),
          out, 1e-2);
}

void FunctionCheck::patterns(const HeadShape& shape, int length, int block) {
  const Pair q = random(length, shape.n_heads * shape.head_dim, 2);
  const Pair k = random(length, shape.n_kv_heads * shape.head_dim, 2);
  const Pair v = random(length, shape.n_kv_heads * shape.head_dim);
  const Pair out = poisoned(length, shape.n_heads * shape.head_dim);
  std::vector<int> positions(static_cast<size_t>(length));
  std::iota(positions.begin(), positions.end(), 0);
  BlockImportance on_device;
  on_device.block_size = block;
  on_device.scale = 1 / std::sqrt(static_cast<float>(shape.head_dim));
  on_device.first_generation_block = 5;
  BlockImportance on_reference = on_device;
  const auto attend = [&](Backend& b, BlockImportance* importance, const BlockPattern* pattern) {
    const bool here = &b == device_.get();
    const auto at = [&](const Pair& pair) { return here ? pair.device : pair.reference; };
    const AttentionTask task{.q = at(q),
                             .kv = {at(k), at(v)},
                             .out = at(out),
                             .pattern = pattern,
                             .positions = positions,
                             .importance = importance};
    b.attention(std::span(&task, 1), shape);
  };
  attend(*device_, &on_device, nullptr);
  attend(*reference_, &on_reference, nullptr);
  const std::string name = fmt::format("{} positions in blocks of {}", length, block);
  compare("importance, " + name, on_device.all, on_reference.all, kAttentionError);
  compare("importance of the generation, " + name, on_device.generation, on_reference.generation,
          kAttentionError);
  on_reference.selection = BlockSelection{};
  const BlockPattern pattern = select_blocks(on_device, *on_reference.selection);
  on_device.selection = on_reference.selection;
  attend(*device_, &on_device, nullptr);
  const bool chose = on_device.chosen.n_blocks() > 0;
  equal("blocks chosen on the device, " + name, !chose || on_device.chosen == pattern ? 1 : 0);
  attend(*device_, nullptr, &pattern);
  attend(*reference_, nullptr, &pattern);
  compare("block-sparse attention, " + name, out, kAttentionError);
}

}  // namespace

void check_functions(const MakeBackend& make, uint32_t seed, Report& report) {
  FunctionCheck(make, seed, report).run();
}

}  // namespace unmask::tools
