// Dense and block-sparse attention, its log-sum-exp and measured importance against the reference,
// under every instruction set that this machine has and in both number formats, with lengths around
// the borders of blocks and panels.
//
// Bounds: inputs are rounded to bf16 beforehand, so the one thing that bf16 attention rounds beyond
// float32 is the weights, by 2^-9 at most: an error of 2^-9 of the largest value. Importance and
// log-sum-exp come from weights before they are rounded.
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

#include "kernels/create_backend.h"
#include "support/isa.h"
#include "support/random_tensor.h"

namespace unmask {
namespace {

using testing::RandomTensor;

/// A quarter of the blocks, at least one a row; head 0 sees everything.
BlockPattern random_pattern(std::mt19937& random, int block, int n_heads, int length) {
  const int n = (length + block - 1) / block;
  BlockPattern pattern(block, n_heads, n);
  for (int row = 0; row < n_heads * n; ++row) {
    std::vector<uint16_t> list;
    for (int b = 0; b < n; ++b) {
      if (row < n || random() % 4 == 0) list.push_back(static_cast<uint16_t>(b));
    }
    if (list.empty()) list.push_back(static_cast<uint16_t>(random() % static_cast<unsigned>(n)));
    pattern.append(list);
  }
  return pattern;
}

/// The same of single keys.
BlockPattern random_columns(std::mt19937& random, int block, int n_heads, int length) {
  const int n = (length + block - 1) / block;
  BlockPattern pattern = BlockPattern::of_columns(block, n_heads, n);
  for (int row = 0; row < n_heads * n; ++row) {
    std::vector<uint16_t> list;
    for (int p = 0; p < length; ++p) {
      if (row < n || random() % 4 == 0) list.push_back(static_cast<uint16_t>(p));
    }
    if (list.empty()) list.push_back(static_cast<uint16_t>(length - 1));
    pattern.append(list);
  }
  return pattern;
}

struct Variant {
  std::string isa;
  WeightType weights;  // of the backend; attention follows where the instruction set can
  bool narrow() const { return weights == WeightType::bf16; }
};

std::vector<Variant> variants() {
  std::vector<Variant> all;
  for (const std::string& isa : testing::isa_levels()) all.push_back({isa, WeightType::f32});
  for (const std::string& isa : testing::isa_levels()) {
    if (cpu_capabilities(isa).bf16_attention) all.push_back({isa, WeightType::bf16});
  }
  return all;
}

void round_to_bf16(Tensor t) {
  for (int r = 0; r < t.rows; ++r) {
    for (int c = 0; c < t.cols; ++c) t.f32(r)[c] = bf16_to_f32(f32_to_bf16(t.f32(r)[c]));
  }
}

/// Queries, keys and values of one sequence.
struct Inputs {
  Inputs(std::mt19937& random, const HeadShape& heads, int queries, int slots)
      : q(random, queries, heads.n_heads * heads.head_dim, 8, 2),
        k(random, slots, heads.n_kv_heads * heads.head_dim, 1),
        v(random, slots, heads.n_kv_heads * heads.head_dim, 3) {
    for (const RandomTensor* t : {&q, &k, &v}) round_to_bf16(t->view());
  }
  Inputs(std::mt19937& random, const HeadShape& heads, int length)
      : Inputs(random, heads, length, length) {}
  RandomTensor q, k, v;
};

class BlockAttention : public ::testing::TestWithParam<Variant> {
 protected:
  std::unique_ptr<Backend> cpu(int threads) const {
    return testing::create_cpu_backend_on(GetParam().isa,
                                          {.threads = threads, .weights = GetParam().weights});
  }
  /// How far outputs may lie from the reference.
  static double bound(const Inputs& in) {
    double largest = 0;
    for (const float v : in.v.values()) largest = std::max(largest, std::fabs(double{v}));
    return 2e-5 + (GetParam().narrow() ? largest / 512 : 0);
  }
  static Tensor attend(Backend& backend, const HeadShape& heads, const Inputs& in,
                       const RandomTensor& out, const BlockPattern* pattern, const Rows& rows,
                       BlockImportance* importance = nullptr, float* lse = nullptr) {
    const std::vector<int> positions(rows.begin(), rows.end());
    const RandomTensor q(in.q);
    if (!rows.empty()) backend.gather(in.q.view(), rows, q.view().slice({0, rows.size()}));
    const AttentionTask task{.q = q.view().slice({0, rows.size()}),
                             .kv = {in.k.view(), in.v.view()},
                             .out = out.view().slice({0, rows.size()}),
                             .pattern = pattern,
                             .positions = positions,
                             .importance = importance,
                             .lse = lse};
    backend.attention(std::span(&task, 1), heads);
    return task.out;
  }
  static void expect_close(Tensor a, Tensor b, double bound) {
    ASSERT_EQ(a.rows, b.rows);
    for (int r = 0; r < a.rows; ++r) {
      for (int c = 0; c < a.cols; ++c) {
        ASSERT_NEAR(a.f32(r)[c], b.f32(r)[c], bound) << "row " << r << " column " << c;
      }
    }
  }

  std::mt19937 random_{11};
  std::unique_ptr<Backend> reference_ = create_reference_backend();
};

TEST_P(BlockAttention, EqualsTheReferenceOnEveryShape) {
  const auto backend = cpu(3);
  struct Shape {
    HeadShape heads;
    int queries;
    int slots;
  };
  for (const Shape& s :
       {Shape{{1, 1, 2}, 1, 1}, Shape{{4, 4, 32}, 37, 37}, Shape{{4, 2, 32}, 5, 257},
        Shape{{7, 1, 16}, 65, 63}, Shape{{2, 2, 64}, 270, 96}, Shape{{2, 1, 96}, 8, 1030},
        Shape{{2, 2, 128}, 33, 300}, Shape{{3, 3, 80}, 9, 31}}) {
    const Inputs in(random_, s.heads, s.queries, s.slots);
    const RandomTensor a(random_, s.queries, s.heads.n_heads * s.heads.head_dim, 2);
    const RandomTensor b(a);
    std::vector<float> lse(static_cast<size_t>(s.queries * s.heads.n_heads));
    std::vector<float> expected(lse);
    const Rows all(Range{0, s.queries});
    expect_close(attend(*backend, s.heads, in, a, nullptr, all, nullptr, lse.data()),
                 attend(*reference_, s.heads, in, b, nullptr, all, nullptr, expected.data()),
                 bound(in));
    for (size_t i = 0; i < lse.size(); ++i) ASSERT_NEAR(lse[i], expected[i], 2e-5) << i;
  }
}

TEST_P(BlockAttention, LargeScoresDoNotOverflow) {
  const auto backend = cpu(1);
  const HeadShape heads{1, 1, 32};
  const Inputs in(random_, heads, 70);
  for (int r = 0; r < 70; ++r) {
    for (int c = 0; c < 32; ++c) in.q.view().f32(r)[c] *= 1024;  // scores of thousands
  }
  const RandomTensor a(random_, 70, 32);
  const RandomTensor b(a);
  const Rows all(Range{0, 70});
  expect_close(attend(*backend, heads, in, a, nullptr, all),
               attend(*reference_, heads, in, b, nullptr, all), 1e-2);  // scores round at 1e-3
}

TEST_P(BlockAttention, EqualsTheReferenceOnRandomPatterns) {
  const auto backend = cpu(3);
  const HeadShape heads{4, 2, 20};
  for (const int block : {8, 12, 32, 100, 128}) {
    for (const int length : {1, block - 1, block, block + 1, 3 * block + 7, 300}) {
      const Inputs in(random_, heads, length);
      const Rows all(Range{0, length});
      for (const auto& draw : {random_pattern, random_columns}) {
        const BlockPattern pattern = draw(random_, block, heads.n_heads, length);
        const RandomTensor a(random_, length, 80, 2);
        RandomTensor b(a);
        expect_close(attend(*backend, heads, in, a, &pattern, all),
                     attend(*reference_, heads, in, b, &pattern, all), bound(in));
      }
    }
  }
}

TEST_P(BlockAttention, RowsDependNeitherOnNeighboursNorOnThreads) {
  const auto one = cpu(1);
  const auto four = cpu(4);
  const HeadShape heads{2, 1, 64};
  const Inputs in(random_, heads, 333);
  for (const auto& draw : {random_pattern, random_columns}) {
    const BlockPattern pattern = draw(random_, 32, 2, 333);
    const RandomTensor whole(random_, 333, 128);
    attend(*one, heads, in, whole, &pattern, Rows(Range{0, 333}));
    for (const Rows& rows : {Rows(Range{0, 333}), Rows({0, 31, 32, 200, 332}),
                             Rows(std::vector<int>{332}), Rows(Range{90, 170}), Rows()}) {
      const RandomTensor part(random_, 333, 128);
      const Tensor out = attend(*four, heads, in, part, &pattern, rows);
      for (int r = 0; r < rows.size(); ++r) {
        expect_close(out.slice({r, r + 1}), whole.view().slice({rows[r], rows[r] + 1}), 0);
      }
    }
  }
}

TEST_P(BlockAttention, KeptKeysAndValuesArePackedWhenTheyChange) {
  const auto backend = cpu(2);
  const HeadShape heads{4, 2, 48};
  const Inputs in(random_, heads, 32, 157);
  const RandomTensor kept(random_, 32, 192);
  const RandomTensor fresh(kept);
  PackedKv packed;
  AttentionTask task{
      .q = in.q.view(), .kv = {in.k.view(), in.v.view(), &packed}, .out = kept.view()};
  // The whole, nothing, slots on both sides of a border of panels, the last one, fewer slots.
  for (const auto& [changed, slots] :
       {std::pair(Rows(), 157), std::pair(Rows(), 157), std::pair(Rows({30, 31, 32, 90}), 157),
        std::pair(Rows(Range{156, 157}), 157), std::pair(Rows(), 101)}) {
    for (const int s : changed) {
      in.k.view().f32(s)[3] += 2;
      in.v.view().f32(s)[50] -= 1;
    }
    packed.forget(changed);
    task.kv = {in.k.view().slice({0, slots}), in.v.view().slice({0, slots}), &packed};
    task.out = kept.view();
    backend->attention(std::span(&task, 1), heads);
    task.kv.packed = nullptr;
    task.out = fresh.view();
    backend->attention(std::span(&task, 1), heads);
    expect_close(kept.view(), fresh.view(), 0);
  }
}

TEST_P(BlockAttention, EveryBlockIsTheSameAsNoPattern) {
  const auto backend = cpu(2);
  const HeadShape heads{1, 1, 32};  // head 0 of a random pattern sees everything
  const Inputs in(random_, heads, 500);
  const Rows all(Range{0, 500});
  for (const auto& draw : {random_pattern, random_columns}) {
    const BlockPattern pattern = draw(random_, 24, 1, 500);
    EXPECT_EQ(pattern.list(0, 0).size() * static_cast<size_t>(pattern.key_size()) / 500, 1U);
    const RandomTensor a(random_, 500, 32);
    RandomTensor b(a);
    expect_close(attend(*backend, heads, in, a, &pattern, all),
                 attend(*backend, heads, in, b, nullptr, all), 0);
  }
}

TEST_P(BlockAttention, ImportanceEqualsTheReference) {
  const auto one = cpu(1);
  const auto three = cpu(3);
  const HeadShape heads{2, 1, 24};
  const auto expect_equal = [](std::span<const float> found, std::span<const float> expected) {
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i) {
      ASSERT_NEAR(found[i], expected[i], 1e-9 + 5e-5 * expected[i]);
    }
  };
  for (const int block : {1, 8, 12, 32, 100, 128}) {
    for (const int length : {1, block + 1, 2 * block, 290}) {
      const Inputs in(random_, heads, length);
      const int blocks = (length + block - 1) / block;
      const Rows all(Range{0, length});
      // the scale of attention, one that is sharper and one that is flatter
      for (const auto& [first, scale] :
           {std::pair(0, 0.5F), std::pair(blocks / 2, 1 / std::sqrt(24.0F)),
            std::pair(blocks / 2, 0.02F), std::pair(blocks - 1, 0.5F)}) {
        BlockImportance a;
        a.block_size = block;
        a.scale = scale;
        a.first_generation_block = first;
        BlockImportance b(a);
        BlockImportance c(a);
        const RandomTensor out(random_, length, 48);
        const RandomTensor expected(out);
        expect_close(attend(*three, heads, in, out, nullptr, all, &a),
                     attend(*reference_, heads, in, expected, nullptr, all, &b), bound(in));
        attend(*one, heads, in, out, nullptr, all, &c);
        EXPECT_EQ(a.all, c.all);
        EXPECT_EQ(a.generation, c.generation);
        expect_equal(a.all, b.all);
        expect_equal(a.generation, b.generation);
      }
    }
  }
}

TEST_P(BlockAttention, ImportanceOfAQueryBlockIsItsShareOfRows) {
  const auto backend = cpu(2);
  const HeadShape heads{2, 2, 32};
  const Inputs in(random_, heads, 150);
  BlockImportance importance;
  importance.block_size = 32;
  importance.scale = 0.3F;
  importance.first_generation_block = 2;
  const RandomTensor out(random_, 150, 64);
  attend(*backend, heads, in, out, nullptr, Rows(Range{0, 150}), &importance);
  for (size_t row = 0; row < 10; ++row) {
    const double queries = row % 5 == 4 ? 150 - 4 * 32 : 32;  // each spends a probability of 1
    double all = 0;
    double generation = 0;
    for (size_t b = 0; b < 5; ++b) all += importance.all[row * 5 + b];
    for (size_t b = 0; b < 3; ++b) generation += importance.generation[row * 3 + b];
    EXPECT_NEAR(all, queries / 32 / 32, 1e-6);
    EXPECT_NEAR(generation, queries / 32 / 32, 1e-6);
  }
}

TEST_P(BlockAttention, ALoudPromptDoesNotDrownTheGeneration) {
  const auto backend = cpu(2);
  const HeadShape heads{1, 1, 32};
  const Inputs in(random_, heads, 96);
  for (int r = 0; r < 96; ++r) {
    in.q.view().f32(r)[0] = 40;  // prompt scores lie hundreds above those of the generation
    in.k.view().f32(r)[0] = r < 20 ? 40 : -40;
  }
  const Rows all(Range{0, 96});
  BlockImportance a;
  a.block_size = 10;
  a.scale = 0.35F;
  a.first_generation_block = 2;
  BlockImportance b(a);
  const RandomTensor out(random_, 96, 32);
  attend(*backend, heads, in, out, nullptr, all, &a);
  attend(*reference_, heads, in, out, nullptr, all, &b);
  for (size_t i = 0; i < a.generation.size(); ++i) {
    ASSERT_NEAR(a.generation[i], b.generation[i], 1e-7 + 1e-2 * b.generation[i]);
  }
}

TEST_P(BlockAttention, RefusesPatternsOfOtherShapes) {
  const auto backend = cpu(1);
  const HeadShape heads{2, 2, 16};
  const Inputs in(random_, heads, 40);
  const RandomTensor out(random_, 40, 32);
  const Rows all(Range{0, 40});
  for (const auto& [block, n_heads, length] :
       {std::array{16, 1, 40}, std::array{16, 2, 60}, std::array{8, 2, 20}}) {
    const BlockPattern pattern = random_pattern(random_, block, n_heads, length);
    EXPECT_THROW(attend(*backend, heads, in, out, &pattern, all), LogicError);
  }
  const BlockPattern unfinished(16, 2, 3);
  EXPECT_THROW(attend(*backend, heads, in, out, &unfinished, all), LogicError);
}

INSTANTIATE_TEST_SUITE_P(Isa, BlockAttention, ::testing::ValuesIn(variants()),
                         [](const auto& test) {
                           return test.param.isa + (test.param.narrow() ? "_in_bf16" : "");
                         });

}  // namespace
}  // namespace unmask
