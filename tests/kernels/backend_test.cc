// Every operation of every backend against the reference, on random shapes and strides, in memory
// that need not be the host's. Bounds follow from the depth of the sums and the types that are
// rounded to (support/rounding.h); operands are rounded beforehand where a backend would round
// them.
#include "kernels/backend.h"

#include <array>
#include <cmath>
#include <gtest/gtest.h>
#include <random>

#include "kernels/backend_subject.h"
#include "kernels/create_backend.h"
#include "kernels/expert_case.h"
#include "kernels/metered/backend.h"
#include "support/device_tensor.h"
#include "support/far_backend.h"
#include "support/isa.h"
#include "support/random_tensor.h"
#include "support/rounding.h"

namespace unmask {
namespace {

using testing::BackendSubject;
using testing::DeviceTensor;
using testing::kUnit16;
using testing::kUnit32;
using testing::RandomTensor;
using testing::sum_error;

std::vector<BackendSubject> subjects() {
  std::vector<BackendSubject> all = testing::backend_subjects();
  for (const std::string& isa : testing::isa_levels()) {
    all.push_back({.name = "cpu_" + isa,
                   .make = [isa] { return testing::create_cpu_backend_on(isa, {.threads = 3}); }});
    const CpuCapabilities kernels = cpu_capabilities(isa);
    const CpuOptions options{.threads = 3, .weights = WeightType::bf16};
    all.push_back({.name = "cpu_" + isa + "_with_bf16_weights",
                   .make = [isa, options] { return testing::create_cpu_backend_on(isa, options); },
                   .narrow_weights = true,
                   .narrow_inputs = kernels.bf16_inputs,
                   .narrow_attention = kernels.bf16_attention});
  }
  const auto cpu = [] { return create_cpu_backend({.threads = 2}); };
  all.push_back({.name = "metered", .make = [cpu] { return create_metered_backend(cpu()); }});
  all.push_back(
      {.name = "far", .make = [cpu] { return std::make_unique<testing::FarBackend>(cpu()); }});
  return all;
}

double norm(Tensor t, int row) {
  double sum = 0;
  for (int c = 0; c < t.cols; ++c) sum += static_cast<double>(t.f32(row)[c]) * t.f32(row)[c];
  return std::sqrt(sum);
}

/// The longest row.
double norm(Tensor t) {
  double most = 0;
  for (int r = 0; r < t.rows; ++r) most = std::max(most, norm(t, r));
  return most;
}

double largest(Tensor t) {
  double most = 0;
  for (int r = 0; r < t.rows; ++r) {
    for (int c = 0; c < t.cols; ++c) most = std::max(most, std::abs(double{t.f32(r)[c]}));
  }
  return most;
}

class BackendTest : public ::testing::TestWithParam<BackendSubject> {
 protected:
  DeviceTensor put(const RandomTensor& host) { return {*backend_, host.view()}; }
  /// Random values that lose nothing where the backend rounds them.
  RandomTensor random(bool narrow, int rows, int cols, int padding = 0, float scale = 1) {
    const RandomTensor made(random_, rows, cols, padding, scale);
    for (int r = 0; narrow && r < rows; ++r) {
      for (int c = 0; c < cols; ++c) {
        float& value = made.view().f32(r)[c];
        value = bf16_to_f32(f32_to_bf16(value));
      }
    }
    return made;
  }
  /// |found - expected| <= bound(row, column)
  template <typename Bound>
  static void expect_close(const DeviceTensor& found, Tensor expected, const Bound& bound) {
    const std::vector<float> values = found.values();
    ASSERT_EQ(values.size(), static_cast<size_t>(expected.rows) * expected.cols);
    for (int r = 0; r < expected.rows; ++r) {
      for (int c = 0; c < expected.cols; ++c) {
        ASSERT_NEAR(values[static_cast<size_t>(r * expected.cols + c)], expected.f32(r)[c],
                    bound(r, c))
            << "row " << r << " column " << c;
      }
    }
  }

  std::mt19937 random_{7};
  std::unique_ptr<Backend> backend_ = GetParam().make();
  std::unique_ptr<Backend> reference_ = create_reference_backend();
};

TEST_P(BackendTest, CopiesRowsThatLieApart) {
  const RandomTensor host(random_, 5, 7, 3);
  const DeviceTensor tensor = put(host);
  expect_close(tensor, host.view(), [](int, int) { return 0; });
  std::vector<float> part(2 * 3);
  backend_->download(tensor.view().slice({1, 3}).columns({2, 5}), part.data());
  EXPECT_EQ(part[4], host.view().f32(2)[3]);
}

TEST_P(BackendTest, Linear) {
  for (const auto& [rows, in, out] : {std::array{1, 1, 1}, std::array{5, 33, 70},
                                      std::array{64, 128, 320}, std::array{257, 96, 1100}}) {
    const RandomTensor x = random(GetParam().narrow_inputs, rows, in, 3);
    const RandomTensor w = random(GetParam().narrow_weights, out, in, 2);
    const RandomTensor bias(random_, 1, out);
    const RandomTensor before(random_, rows, out, 5);
    const auto on_backend = backend_->pack(w.matrix());
    const auto on_reference = reference_->pack(w.matrix());
    const double sum = sum_error(in);
    for (const Into into : {Into::store, Into::add, Into::gate}) {
      const DeviceTensor found = put(before);
      const RandomTensor expected(before);
      backend_->linear(put(x).view(), {on_backend.get(), found.view(), put(bias).view(), into});
      reference_->linear(x.view(), {on_reference.get(), expected.view(), bias.view(), into});
      expect_close(found, expected.view(), [&](int r, int c) {
        const double old = std::abs(before.view().f32(r)[c]);
        const double terms = norm(x.view(), r) * norm(w.view(), c) + std::abs(bias.view().f32()[c]);
        // The exponent of a gate rounds by as many units as it is large.
        const double gate = (old + 16) * kUnit32;
        return into == Into::gate ? old * terms * (sum + gate) : terms * sum + old * kUnit32;
      });
    }
  }
}

TEST_P(BackendTest, GatesOfLargeNegativesAreZero) {
  const RandomTensor x(random_, 1, 4);
  const RandomTensor gate(x);
  const auto packed = backend_->pack(RandomTensor(random_, 4, 4).matrix());
  for (const float large : {-40.0F, -88.0F, -89.0F, -100.0F, -177.0F, -200.0F, -1e6F, -1e30F}) {
    for (int c = 0; c < 4; ++c) gate.view().f32()[c] = large;  // exp(89) overflows
    const DeviceTensor found = put(gate);
    backend_->linear(put(x).view(),
                     {.weights = packed.get(), .out = found.view(), .into = Into::gate});
    for (const float value : found.values()) EXPECT_NEAR(value, 0, 200 * kUnit32) << large;
  }
}

TEST_P(BackendTest, RmsNormInPlace) {
  for (const int cols : {1, 16, 37, 256}) {
    const RandomTensor x(random_, 20, cols, 2);
    const RandomTensor weight(random_, 1, cols);
    const RandomTensor expected(x);
    const DeviceTensor found = put(x);
    backend_->rms_norm(found.view(), put(weight).view(), 1e-5F, found.view());
    reference_->rms_norm(x.view(), weight.view(), 1e-5F, expected.view());
    expect_close(found, expected.view(), [&](int r, int c) {
      return std::abs(expected.view().f32(r)[c]) * (sum_error(cols) + 8 * kUnit32);
    });
  }
}

TEST_P(BackendTest, Rope) {
  const std::vector<int> positions{0, 1, 2, 17, 100, 511, 1000, 4095, 3};
  for (const int head_dim : {2, 32, 96, 128, 32}) {
    const RandomTensor x(random_, 9, 3 * head_dim, 4);
    const RandomTensor expected(x);
    const DeviceTensor found = put(x);
    Rotation rotation = plain_rotation(head_dim, 500000.0F);
    rotation.scale = head_dim == 96 ? 1.25F : 1;
    backend_->rope(found.view(), positions, rotation);
    reference_->rope(expected.view(), positions, rotation);
    // Angles round by as many units as the position has.
    expect_close(found, expected.view(), [&](int r, int) {
      return 2 * largest(x.view()) * (4 + 4 * positions[static_cast<size_t>(r)]) * kUnit32;
    });
  }
}

struct AttentionShape {
  HeadShape heads;
  int queries;
  int slots;
  float scale = 1;  // of queries and keys
  int block = 0;    // of a block-causal model, whose last positions the queries are; 0: all see all

  std::vector<int> ends() const {
    std::vector<int> ends;
    for (int p = slots - queries; block > 0 && p < slots; ++p) {
      ends.push_back(std::min(slots, (p / block + 1) * block));
    }
    return ends;
  }
};

TEST_P(BackendTest, Attention) {
  const bool narrow = GetParam().narrow_attention;
  for (const AttentionShape& s :
       {AttentionShape{{1, 1, 2}, 1, 1}, AttentionShape{{4, 4, 32}, 37, 37},
        AttentionShape{{4, 2, 32}, 5, 257}, AttentionShape{{7, 1, 16}, 65, 63},
        AttentionShape{{2, 2, 64}, 130, 96}, AttentionShape{{2, 1, 96}, 8, 1030},
        AttentionShape{{2, 2, 128}, 33, 300}, AttentionShape{{3, 3, 20}, 9, 31},
        AttentionShape{{1, 1, 32}, 3, 70, 30},  // scores of thousands
        AttentionShape{{4, 2, 32}, 37, 37, 1, 4}, AttentionShape{{4, 1, 64}, 150, 291, 1, 32},
        AttentionShape{{2, 2, 20}, 8, 300, 1, 5}}) {
    const std::vector<int> ends = s.ends();
    const int dim = s.heads.head_dim;
    const RandomTensor q = random(narrow, s.queries, s.heads.n_heads * dim, 8, s.scale);
    const RandomTensor k = random(narrow, s.slots, s.heads.n_kv_heads * dim, 1, s.scale);
    const RandomTensor v = random(narrow, s.slots, s.heads.n_kv_heads * dim, 3);
    const RandomTensor expected(random_, s.queries, s.heads.n_heads * dim, 2);
    const DeviceTensor found = put(expected);
    const DeviceTensor dq = put(q);
    const DeviceTensor dk = put(k);
    const DeviceTensor dv = put(v);
    const AttentionTask task{
        .q = dq.view(), .kv = {dk.view(), dv.view()}, .out = found.view(), .key_ends = ends};
    const AttentionTask host{
        .q = q.view(), .kv = {k.view(), v.view()}, .out = expected.view(), .key_ends = ends};
    backend_->attention(std::span(&task, 1), s.heads);
    reference_->attention(std::span(&host, 1), s.heads);
    // What a score is off by, a weight is off by as a share of itself.
    const double score = norm(q.view()) * norm(k.view()) / std::sqrt(dim) * sum_error(dim);
    const double weights = 2 * (score + sum_error(s.slots) + 8 * kUnit32);
    const double rounding = narrow ? 2 * kUnit16 : 0;  // of weights
    const double results = GetParam().narrow_results ? kUnit16 : 0;
    const double bound = largest(v.view()) * (weights + rounding + results);
    expect_close(found, expected.view(), [&](int, int) { return bound; });
  }
}

TEST_P(BackendTest, Experts) {
  for (const testing::ExpertShape& shape : testing::expert_shapes()) {
    testing::ExpertCase c(random_, shape);
    if (GetParam().narrow_weights) c.narrow();
    const DeviceTensor x = put(c.x);
    // Rounded: a shared gate, its up, what goes into the last product and comes out of it.
    const double rounding = GetParam().narrow_inputs ? 6 * kUnit16 : 0;
    for (const Into into : {Into::store, Into::add}) {
      const RandomTensor before(random_, shape.rows, shape.dim, 2);
      const RandomTensor expected(before);
      const RandomTensor terms(before);
      for (int r = 0; r < shape.rows; ++r) {
        for (int i = 0; i < shape.dim; ++i) {
          const auto value = c.expected(r, i);
          const double old = into == Into::add ? before.view().f32(r)[i] : 0;
          expected.view().f32(r)[i] = static_cast<float>(old + value.value);
          terms.view().f32(r)[i] = static_cast<float>(std::abs(old) + value.terms);
        }
      }
      const DeviceTensor found = put(before);
      c.run(*backend_, x.view(), found.view(), into);
      expect_close(found, expected.view(), [&](int r, int i) {
        return terms.view().f32(r)[i] * (32 * kUnit32 + rounding);
      });
    }
  }
}

TEST_P(BackendTest, CellsAndRowsAreMovedExactly) {
  const RandomTensor x(random_, 10, 7, 1);
  const RandomTensor y(random_, 10, 7, 2);
  const Rows rows({0, 4, 9});
  const DeviceTensor found = put(x);
  const DeviceTensor other = put(y);
  const RandomTensor expected(x);
  for (const auto& [backend, to, from] :
       {std::tuple(backend_.get(), found.view(), other.view()),
        std::tuple(reference_.get(), expected.view(), y.view())}) {
    backend->scatter(from.slice({2, 5}), rows, to);
    backend->gather(from, rows, to.slice({5, 8}));
  }
  expect_close(found, expected.view(), [](int, int) { return 0; });
}

TEST_P(BackendTest, AddAndExtrapolate) {
  const RandomTensor x(random_, 9, 37, 2, 3);
  const RandomTensor y(random_, 9, 37, 1);
  const DeviceTensor found = put(x);
  const DeviceTensor other = put(y);
  const RandomTensor expected(x);
  const double size = largest(x.view()) + largest(y.view());
  backend_->add(found.view(), other.view());
  reference_->add(expected.view(), y.view());
  expect_close(found, expected.view(), [&](int, int) { return size * kUnit32; });
  backend_->extrapolate(found.view(), other.view(), 2.5F);
  reference_->extrapolate(expected.view(), y.view(), 2.5F);
  // 2.5 times the two sums' rounding, and three of its own
  expect_close(found, expected.view(), [&](int, int) { return 4 * 2.5 * 2 * size * kUnit32; });
}

TEST_P(BackendTest, MeasuresOfMethods) {
  const HeadShape shape{.n_heads = 6, .n_kv_heads = 2, .head_dim = 24};
  const RandomTensor q(random_, 17, 6 * 24, 3);
  const RandomTensor k(random_, 41, 2 * 24, 1);
  const RandomTensor moved(k);
  for (int c = 0; c < 48; ++c) moved.view().f32(3)[c] = 0;
  for (int c = 0; c < 48; ++c) moved.view().f32(5)[c] *= -2;
  const DeviceTensor dq = put(q);
  const DeviceTensor dk = put(k);
  const DeviceTensor dmoved = put(moved);
  const auto compare = [](const std::vector<float>& found, const std::vector<float>& expected,
                          double absolute, double relative) {
    for (size_t i = 0; i < found.size(); ++i) {
      ASSERT_NEAR(found[i], expected[i], absolute + relative * std::abs(expected[i])) << i;
    }
  };
  std::vector<float> found(41);
  std::vector<float> expected(41);
  backend_->mean_query_scores(dq.view(), dk.view(), shape, found);
  reference_->mean_query_scores(q.view(), k.view(), shape, expected);
  compare(found, expected, norm(q.view()) * norm(k.view()) * sum_error(17 + 6 + 24), 0);
  backend_->cosine_rows(dk.view(), dmoved.view(), found);
  reference_->cosine_rows(k.view(), moved.view(), expected);
  compare(found, expected, 2 * sum_error(48), 0);
  EXPECT_EQ(found[3], 0);

  std::vector<float> changes(5);
  std::vector<float> expected_changes(5);
  const Rows moved_rows({3, 4, 5, 6, 40});
  backend_->row_changes(dk.view().slice({2, 7}), dmoved.view(), moved_rows, changes);
  reference_->row_changes(k.view().slice({2, 7}), moved.view(), moved_rows, expected_changes);
  compare(changes, expected_changes, 0, 2 * sum_error(48));
  EXPECT_GT(changes[0], 1e4) << "a row that was zero";
  const Rows same(Range{6, 8});
  backend_->row_changes(dk.view().slice({6, 8}), dmoved.view(), same, std::span(changes).first(2));
  EXPECT_EQ(changes[0], 0);
  EXPECT_EQ(changes[1], 0);

  const Rows rows({0, 3, 4, 16});
  const double score = norm(q.view()) * norm(k.view()) / std::sqrt(24.0) * sum_error(24);
  std::vector<float> mass(82, -1);  // overwritten, not added to
  std::vector<float> expected_mass(82);
  backend_->attention_mass(dq.view(), rows, dk.view(), shape, mass);
  reference_->attention_mass(q.view(), rows, k.view(), shape, expected_mass);
  compare(mass, expected_mass, 0, 2 * score + sum_error(41) + sum_error(4 * 3) + 8 * kUnit32);
  backend_->attention_mass(dq.view(), Rows(), dk.view(), shape, mass);
  EXPECT_EQ(mass, std::vector<float>(82));
}

TEST_P(BackendTest, EmbedConvertsAndRefusesForeignIds) {
  const RandomTensor table = random(true, 50, 12, 1);
  std::vector<uint16_t> narrow(table.values().size());
  to_bf16(table.values().data(), DType::f32, narrow.size(), narrow.data());
  const HostMatrix narrow_table{narrow.data(), DType::bf16, 50, 12, 13};
  const std::vector<TokenId> ids{49, 0, 7};
  for (const HostMatrix& m : {table.matrix(), narrow_table}) {
    const DeviceTensor out = put(RandomTensor(random_, 3, 12));
    backend_->embed(ids, m, out.view());
    EXPECT_EQ(out.values()[5], table.view().f32(49)[5]);
    EXPECT_EQ(out.values()[24], table.view().f32(7)[0]);
    for (const TokenId bad : {-1, 50}) {
      EXPECT_THROW(backend_->embed(std::vector<TokenId>{0, bad, 1}, m, out.view()), Error);
    }
  }
}

TEST_P(BackendTest, TokenStats) {
  const TokenQuery queries[] = {
      {},
      {.forbidden = {3, 5}},
      {.removed = {5, 6}},
      {.forbidden = {0}, .removed = {5}, .without_confidence = {1, 3}},
      {.noise = Noise::categorical, .top_p = 0.7},
      {.noise = Noise::categorical, .temperature = 0.6, .top_k = 5, .seed = 3},
      {.noise = Noise::gumbel, .temperature = 0.8, .seed = 4, .step = 2}};
  const std::vector<int> positions{1, 2, 3, 4, 5, 6};
  for (const int vocab : {7, 64, 1000, 5003}) {
    const RandomTensor logits(random_, 6, vocab, 2, 3);
    logits.view().f32(2)[vocab - 1] = logits.view().f32(2)[1] = 50;  // a tie: the lower id wins
    logits.view().f32(4)[5] = 90;                                    // holds all of the mass
    for (const TokenQuery& query : queries) {
      std::vector<TokenStats> found(6);
      std::vector<TokenStats> expected(6);
      backend_->token_stats(put(logits).view(), positions, query, found);
      reference_->token_stats(logits.view(), positions, query, expected);
      // exp of a logit rounds by as many units as the logits' range
      const double share = sum_error(vocab) + 100 * kUnit32;
      for (size_t i = 0; i < 6; ++i) {
        ASSERT_EQ(found[i].token, expected[i].token) << vocab << " row " << i;
        ASSERT_NEAR(found[i].probability, expected[i].probability, share);
        ASSERT_NEAR(found[i].margin, expected[i].margin, share);
        ASSERT_NEAR(found[i].neg_entropy, expected[i].neg_entropy, 2 * share * std::log(vocab));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, BackendTest, ::testing::ValuesIn(subjects()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace unmask
