// Every operation of the CPU backend against the reference, under every instruction set that this
// machine has, on random shapes and strides.
//
// Bounds: a dot product of n float32 terms in any order is within n * eps * |a| |b| of the exact
// one; the sums here are tree-like, so a small multiple of eps * |a| |b| is what is asked for.
#include <cmath>
#include <cstdlib>
#include <gtest/gtest.h>

#include "core/platform/processor.h"
#include "kernels/create_backend.h"
#include "support/isa.h"
#include "support/random_tensor.h"

namespace unmask {
namespace {

using testing::RandomTensor;

class BackendTest : public ::testing::TestWithParam<std::string> {
 protected:
  BackendTest() { cpu_ = testing::create_cpu_backend_on(GetParam(), {.threads = 3}); }
  static double norm(Tensor t, int row) {
    double sum = 0;
    for (int c = 0; c < t.cols; ++c) sum += static_cast<double>(t.f32(row)[c]) * t.f32(row)[c];
    return std::sqrt(sum);
  }
  /// Largest |a - b| relative to bound(row).
  template <typename Bound>
  static void expect_close(Tensor a, Tensor b, const Bound& bound) {
    ASSERT_EQ(a.rows, b.rows);
    ASSERT_EQ(a.cols, b.cols);
    for (int r = 0; r < a.rows; ++r) {
      for (int c = 0; c < a.cols; ++c) {
        ASSERT_NEAR(a.f32(r)[c], b.f32(r)[c], bound(r)) << "row " << r << " column " << c;
      }
    }
  }

  std::mt19937 random_{7};
  std::unique_ptr<Backend> cpu_;
  std::unique_ptr<Backend> reference_ = create_reference_backend();
};

TEST_P(BackendTest, SaysWhichInstructionsItUses) {
  EXPECT_NE(cpu_->describe().find(GetParam()), std::string::npos) << cpu_->describe();
}

TEST_P(BackendTest, Linear) {
  for (const auto& [rows, in, out] : {std::array{1, 1, 1}, std::array{5, 33, 70},
                                      std::array{64, 128, 320}, std::array{257, 96, 1100}}) {
    const RandomTensor x(random_, rows, in, 3);
    const RandomTensor w(random_, out, in);
    const RandomTensor bias(random_, 1, out);
    RandomTensor a(random_, rows, out, 5);
    RandomTensor b(a);
    for (const auto& [backend, y] :
         {std::pair{cpu_.get(), a.view()}, {reference_.get(), b.view()}}) {
      const auto packed = backend->pack(w.matrix());
      backend->linear(x.view(), {packed.get(), y, bias.view()});
    }
    const double w_norm = std::sqrt(static_cast<double>(in)) * 2;
    expect_close(a.view(), b.view(),
                 [&](int r) { return 8 * 6e-8 * (norm(x.view(), r) * w_norm + 4); });
  }
}

TEST_P(BackendTest, NarrowLinearRoundsOnlyItsInputs) {
  if (!detect_processor().avx512) GTEST_SKIP() << "no bfloat16 product on this processor";
  const auto narrow = create_cpu_backend({.threads = 2, .weights = WeightType::bf16});
  const RandomTensor x(random_, 37, 200);
  const RandomTensor w(random_, 130, 200);
  RandomTensor rounded_x(x);
  RandomTensor rounded_w(w);
  for (const RandomTensor* t : {&rounded_x, &rounded_w}) {
    for (int i = 0; i < t->view().rows * t->view().cols; ++i) {
      t->view().f32()[i] = bf16_to_f32(f32_to_bf16(t->view().f32()[i]));
    }
  }
  RandomTensor a(random_, 37, 130);
  RandomTensor b(a);
  const auto narrow_packed = narrow->pack(w.matrix());
  const auto packed = reference_->pack(rounded_w.matrix());
  narrow->linear(x.view(), {narrow_packed.get(), a.view()});
  reference_->linear(rounded_x.view(), {packed.get(), b.view()});
  expect_close(a.view(), b.view(), [&](int r) { return 8 * 6e-8 * norm(x.view(), r) * 30; });
}

TEST_P(BackendTest, LinearRowsDoNotDependOnTheirNeighboursOrThreads) {
  const RandomTensor x(random_, 300, 256);
  const RandomTensor w(random_, 500, 256);
  for (const WeightType type : {WeightType::f32, WeightType::bf16}) {
    if (type == WeightType::bf16 && !detect_processor().avx512) continue;
    RandomTensor all(random_, 300, 500);
    const auto one = create_cpu_backend({.threads = 1, .weights = type});
    const auto packed_for_one = one->pack(w.matrix());
    one->linear(x.view(), {packed_for_one.get(), all.view()});
    const auto many = create_cpu_backend({.threads = 4, .weights = type});
    const auto packed = many->pack(w.matrix());
    for (const Range rows : {Range{0, 1}, Range{3, 10}, Range{17, 50}, Range{0, 300}}) {
      RandomTensor part(random_, rows.size(), 500);
      many->linear(x.view().slice(rows), {packed.get(), part.view()});
      expect_close(part.view(), all.view().slice(rows), [](int) { return 0; });
    }
  }
}

TEST_P(BackendTest, RmsNorm) {
  for (const int cols : {1, 16, 37, 256}) {
    const RandomTensor x(random_, 20, cols, 2);
    const RandomTensor weight(random_, 1, cols);
    RandomTensor a(x);
    RandomTensor b(x);
    cpu_->rms_norm(a.view(), weight.view(), 1e-5F, a.view());  // in place
    reference_->rms_norm(x.view(), weight.view(), 1e-5F, b.view());
    expect_close(a.view(), b.view(), [](int) { return 1e-5; });
  }
}

TEST_P(BackendTest, Rope) {
  for (const int head_dim : {2, 32, 96, 128}) {
    RandomTensor a(random_, 9, 3 * head_dim, 4);
    RandomTensor b(a);
    const std::vector<int> positions{0, 1, 2, 17, 100, 511, 1000, 4095, 3};
    cpu_->rope(a.view(), positions, head_dim, 500000.0F);
    reference_->rope(b.view(), positions, head_dim, 500000.0F);
    // float32 angles: position * eps of the angle, times the length of the pair
    expect_close(a.view(), b.view(),
                 [&](int r) { return 1e-6 + 5e-7 * positions[static_cast<size_t>(r)]; });
  }
}

TEST_P(BackendTest, Attention) {
  struct Shape {
    HeadShape heads;
    int queries;
    int slots;
  };
  for (const Shape& s :
       {Shape{{1, 1, 2}, 1, 1}, Shape{{4, 4, 32}, 37, 37}, Shape{{4, 2, 32}, 5, 257},
        Shape{{7, 1, 16}, 65, 63}, Shape{{2, 2, 64}, 130, 96}, Shape{{2, 1, 96}, 8, 1030},
        Shape{{2, 2, 128}, 33, 300}, Shape{{3, 3, 20}, 9, 31}}) {
    const int width = s.heads.n_heads * s.heads.head_dim;
    const int kv_width = s.heads.n_kv_heads * s.heads.head_dim;
    const RandomTensor q(random_, s.queries, width, 8, 2);
    const RandomTensor k(random_, s.slots, kv_width, 1);
    const RandomTensor v(random_, s.slots, kv_width, 3);
    RandomTensor a(random_, s.queries, width, 2);
    RandomTensor b(a);
    const AttentionTask on_cpu{q.view(), {k.view(), v.view()}, a.view()};
    const AttentionTask on_reference{q.view(), {k.view(), v.view()}, b.view()};
    cpu_->attention(std::span(&on_cpu, 1), s.heads);
    reference_->attention(std::span(&on_reference, 1), s.heads);
    expect_close(a.view(), b.view(), [](int) { return 2e-5; });
  }
}

TEST_P(BackendTest, AttentionRowsDoNotDependOnTheirNeighbours) {
  const HeadShape heads{2, 2, 64};
  const RandomTensor q(random_, 150, 128);
  const RandomTensor k(random_, 200, 128);
  const RandomTensor v(random_, 200, 128);
  RandomTensor all(random_, 150, 128);
  const AttentionTask whole{q.view(), {k.view(), v.view()}, all.view()};
  cpu_->attention(std::span(&whole, 1), heads);
  for (const Range rows : {Range{0, 1}, Range{60, 70}, Range{149, 150}}) {
    RandomTensor part(random_, rows.size(), 128);
    const AttentionTask some{q.view().slice(rows), {k.view(), v.view()}, part.view()};
    cpu_->attention(std::span(&some, 1), heads);
    expect_close(part.view(), all.view().slice(rows), [](int) { return 0; });
  }
}

TEST_P(BackendTest, AttentionSurvivesExtremeScores) {
  const HeadShape heads{1, 1, 32};
  const RandomTensor q(random_, 3, 32, 0, 60);  // scores of thousands
  const RandomTensor k(random_, 70, 32, 0, 60);
  const RandomTensor v(random_, 70, 32);
  RandomTensor a(random_, 3, 32);
  RandomTensor b(a);
  const AttentionTask on_cpu{q.view(), {k.view(), v.view()}, a.view()};
  const AttentionTask on_reference{q.view(), {k.view(), v.view()}, b.view()};
  cpu_->attention(std::span(&on_cpu, 1), heads);
  reference_->attention(std::span(&on_reference, 1), heads);
  expect_close(a.view(), b.view(), [](int) { return 1e-2; });  // scores round at 1e-3
}

TEST_P(BackendTest, LinearGatesAndAdds) {
  for (const int cols : {1, 15, 16, 77}) {
    const RandomTensor y(random_, 18, cols);
    RandomTensor identity(random_, cols, cols, 0, 0);
    for (int i = 0; i < cols; ++i) identity.view().f32(i)[i] = 1;
    for (const Into into : {Into::gate, Into::add}) {
      RandomTensor out(random_, 18, cols, 1, 10);
      out.view().f32()[0] = -200;  // exp(200) would overflow
      RandomTensor expected(out);
      for (const auto& [backend, to] :
           {std::pair{cpu_.get(), out.view()}, {reference_.get(), expected.view()}}) {
        const auto packed = backend->pack(identity.matrix());
        backend->linear(y.view(), {.weights = packed.get(), .out = to, .into = into});
      }
      for (int r = 0; r < 18; ++r) {
        for (int c = 0; c < cols; ++c) {
          const float e = expected.view().f32(r)[c];
          EXPECT_NEAR(out.view().f32(r)[c], e, 1e-6 + 2e-6 * std::abs(e));
        }
      }
    }
  }
}

TEST_P(BackendTest, GatherAddExtrapolate) {
  const RandomTensor x(random_, 10, 7, 1);
  RandomTensor picked(random_, 3, 7);
  cpu_->gather(x.view(), Rows({0, 4, 4}), picked.view());
  EXPECT_EQ(picked.view().f32(1)[6], x.view().f32(4)[6]);
  EXPECT_EQ(picked.view().f32(2)[0], x.view().f32(4)[0]);
  RandomTensor sum(x);
  cpu_->add(sum.view(), x.view());
  EXPECT_EQ(sum.view().f32(9)[6], 2 * x.view().f32(9)[6]);
  cpu_->extrapolate(sum.view(), x.view(), 2.5F);  // x + 2.5 (2x - x)
  EXPECT_NEAR(sum.view().f32(3)[2], 3.5F * x.view().f32(3)[2], 1e-5);
}

TEST_P(BackendTest, ScatterUndoesGather) {
  const RandomTensor x(random_, 9, 5, 2);
  const RandomTensor picked(random_, 3, 5, 1);
  RandomTensor out(x);
  const Rows rows({1, 4, 8});
  cpu_->scatter(picked.view(), rows, out.view());
  RandomTensor back(random_, 3, 5);
  cpu_->gather(out.view(), rows, back.view());
  expect_close(back.view(), picked.view(), [](int) { return 0.0; });
  EXPECT_EQ(out.view().f32(5)[4], x.view().f32(5)[4]);
}

TEST_P(BackendTest, MeasuresOfMethods) {
  const HeadShape shape{.n_heads = 6, .n_kv_heads = 2, .head_dim = 8};
  const RandomTensor q(random_, 17, 48, 3);
  const RandomTensor k(random_, 41, 16, 1);
  std::vector<float> scores(41);
  std::vector<float> expected(41);
  cpu_->mean_query_scores(q.view(), k.view(), shape, scores);
  reference_->mean_query_scores(q.view(), k.view(), shape, expected);
  for (size_t i = 0; i < scores.size(); ++i) EXPECT_NEAR(scores[i], expected[i], 1e-5) << i;

  RandomTensor moved(k);
  for (int c = 0; c < 16; ++c) moved.view().f32(3)[c] = 0;
  for (int c = 0; c < 16; ++c) moved.view().f32(5)[c] *= -2;
  cpu_->cosine_rows(k.view(), moved.view(), scores);
  reference_->cosine_rows(k.view(), moved.view(), expected);
  for (size_t i = 0; i < scores.size(); ++i) EXPECT_NEAR(scores[i], expected[i], 1e-6) << i;
  EXPECT_EQ(scores[3], 0);
  EXPECT_NEAR(scores[5], -1, 1e-6);
}

TEST_P(BackendTest, AttentionMassEqualsTheReference) {
  const Rows rows({0, 3, 4, 16});
  for (const int dim : {4, 24}) {
    const HeadShape shape{6, 2, dim};
    const RandomTensor q(random_, 17, 6 * dim, 3);
    const RandomTensor k(random_, 41, 2 * dim, 1);
    std::vector<float> mass(82, -1);  // overwritten, not added to
    std::vector<float> expected(82);
    cpu_->attention_mass(q.view(), rows, k.view(), shape, mass);
    reference_->attention_mass(q.view(), rows, k.view(), shape, expected);
    float sum = 0;
    for (size_t i = 0; i < mass.size(); ++i) {
      EXPECT_NEAR(mass[i], expected[i], 1e-5) << i;
      sum += mass[i];
    }
    EXPECT_NEAR(sum, 4 * 6, 1e-3);  // every row and head hands out all of its attention
  }
}

TEST_P(BackendTest, EmbedConvertsAndRefusesForeignIds) {
  const std::vector<uint16_t> table{f32_to_bf16(1), f32_to_bf16(2), f32_to_bf16(3), f32_to_bf16(4)};
  const HostMatrix matrix{table.data(), DType::bf16, 2, 2};
  RandomTensor out(random_, 2, 2);
  const std::vector<TokenId> ids{1, 0};
  cpu_->embed(ids, matrix, out.view());
  EXPECT_EQ(out.view().f32(0)[1], 4);
  EXPECT_EQ(out.view().f32(1)[0], 1);
  for (const TokenId bad : {-1, 2}) {
    const std::vector<TokenId> wrong{0, bad};
    EXPECT_THROW(cpu_->embed(wrong, matrix, out.view()), Error);
  }
}

TEST_P(BackendTest, TokenStatsEqualTheReference) {
  for (const int vocab : {2, 17, 1000, 5003}) {
    TokenQuery query;
    query.forbidden = {0};
    RandomTensor a(random_, 6, vocab, 0, 3);
    a.view().f32(2)[vocab - 1] = a.view().f32(2)[1] = 50;  // a tie: the lower id wins
    RandomTensor b(a);
    const std::vector<int> positions{1, 2, 3, 4, 5, 6};
    std::vector<TokenStats> on_cpu(6);
    std::vector<TokenStats> on_reference(6);
    cpu_->token_stats(a.view(), positions, query, on_cpu);
    reference_->token_stats(b.view(), positions, query, on_reference);
    EXPECT_EQ(on_cpu[2].token, 1);
    for (size_t i = 0; i < 6; ++i) {
      EXPECT_EQ(on_cpu[i].token, on_reference[i].token);
      EXPECT_NEAR(on_cpu[i].probability, on_reference[i].probability, 1e-6);
      EXPECT_NEAR(on_cpu[i].margin, on_reference[i].margin, 1e-6);
      EXPECT_NEAR(on_cpu[i].neg_entropy, on_reference[i].neg_entropy, 2e-5);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, BackendTest, ::testing::ValuesIn(testing::isa_levels()),
                         testing::isa_test_name);

TEST(CpuBackend, RefusesWhatItCannotDo) {
  EXPECT_THROW(create_cpu_backend({.threads = 1, .kernels = "sse9"}), Error);
  EXPECT_THROW(create_cpu_backend({.threads = -1}), Error);
}

}  // namespace
}  // namespace unmask
