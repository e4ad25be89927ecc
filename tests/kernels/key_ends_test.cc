// Attention whose queries see only the slots before their own end, as in block-causal models.
#include <gtest/gtest.h>

#include "kernels/counting/backend.h"
#include "kernels/create_backend.h"
#include "support/isa.h"
#include "support/random_tensor.h"

namespace unmask {
namespace {

using testing::RandomTensor;

struct EndsShape {
  HeadShape heads;
  int slots;
  std::vector<int> ends;  // of the queries
};

/// Runs of equal ends, short and long, at and beside the borders of panels and tiles.
std::vector<EndsShape> shapes() {
  std::vector<int> blocks;
  for (int p = 0; p < 300; ++p) blocks.push_back(std::min(290, (p / 32 + 1) * 32));
  return {{{1, 1, 2}, 1, {1}},
          {{4, 2, 32}, 37, {37, 1, 16, 16, 17, 36, 37, 2}},
          {{3, 3, 20}, 70, std::vector<int>(65, 33)},
          {{7, 1, 16}, 64, {4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 64}},
          {{2, 2, 64}, 290, blocks}};
}

class KeyEndsTest : public ::testing::TestWithParam<std::string> {
 protected:
  std::mt19937 random_{17};
};

TEST_P(KeyEndsTest, AQuerySeesWhatItWouldSeeOfAShorterSequence) {
  for (const WeightType type : {WeightType::f32, WeightType::int8}) {  // bf16 attention where it is
    const auto cpu = testing::create_cpu_backend_on(GetParam(), {.threads = 3, .weights = type});
    for (const EndsShape& s : shapes()) {
      const auto rows = static_cast<int>(s.ends.size());
      const int width = s.heads.n_heads * s.heads.head_dim;
      const RandomTensor q(random_, rows, width, 8, 2);
      const RandomTensor k(random_, s.slots, s.heads.n_kv_heads * s.heads.head_dim, 1);
      const RandomTensor v(random_, s.slots, s.heads.n_kv_heads * s.heads.head_dim, 3);
      const RandomTensor out(random_, rows, width, 2);
      std::vector<float> lse(static_cast<size_t>(rows * s.heads.n_heads));
      const AttentionTask task{.q = q.view(),
                               .kv = {k.view(), v.view()},
                               .out = out.view(),
                               .key_ends = s.ends,
                               .lse = lse.data()};
      cpu->attention(std::span(&task, 1), s.heads);
      for (int r = 0; r < rows; ++r) {
        const Range seen{0, s.ends[static_cast<size_t>(r)]};
        const RandomTensor alone(random_, 1, width);
        std::vector<float> alone_lse(static_cast<size_t>(s.heads.n_heads));
        const AttentionTask shorter{.q = q.view().slice({r, r + 1}),
                                    .kv = {k.view().slice(seen), v.view().slice(seen)},
                                    .out = alone.view(),
                                    .lse = alone_lse.data()};
        cpu->attention(std::span(&shorter, 1), s.heads);
        for (int c = 0; c < width; ++c) {
          ASSERT_EQ(out.view().f32(r)[c], alone.view().f32()[c]) << "row " << r << " column " << c;
        }
        for (int h = 0; h < s.heads.n_heads; ++h) {
          ASSERT_EQ(lse[static_cast<size_t>(r * s.heads.n_heads + h)],
                    alone_lse[static_cast<size_t>(h)]);
        }
      }
    }
  }
}

TEST_P(KeyEndsTest, EqualTheReference) {
  const auto cpu = testing::create_cpu_backend_on(GetParam(), {.threads = 2});
  const auto reference = create_reference_backend();
  for (const EndsShape& s : shapes()) {
    const auto rows = static_cast<int>(s.ends.size());
    const int width = s.heads.n_heads * s.heads.head_dim;
    const RandomTensor q(random_, rows, width);
    const RandomTensor k(random_, s.slots, s.heads.n_kv_heads * s.heads.head_dim);
    const RandomTensor v(random_, s.slots, s.heads.n_kv_heads * s.heads.head_dim);
    const RandomTensor a(random_, rows, width);
    const RandomTensor b(random_, rows, width);
    for (const auto& [backend, out] :
         {std::pair{cpu.get(), a.view()}, {reference.get(), b.view()}}) {
      const AttentionTask task{
          .q = q.view(), .kv = {k.view(), v.view()}, .out = out, .key_ends = s.ends};
      backend->attention(std::span(&task, 1), s.heads);
    }
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < width; ++c) {
        ASSERT_NEAR(a.view().f32(r)[c], b.view().f32(r)[c], 2e-5) << "row " << r;
      }
    }
  }
}

TEST_P(KeyEndsTest, RefusesWhatDoesNotFit) {
  const auto cpu = testing::create_cpu_backend_on(GetParam(), {.threads = 1});
  const RandomTensor x(random_, 4, 8);
  const RandomTensor out(random_, 4, 8);
  BlockImportance importance;
  importance.block_size = 2;
  importance.scale = 1;
  AttentionTask task{.q = x.view(), .kv = {x.view(), x.view()}, .out = out.view()};
  for (const std::vector<int>& ends :
       {std::vector{1, 2, 3}, std::vector{0, 1, 2, 3}, std::vector{1, 2, 3, 5}}) {
    task.key_ends = ends;
    EXPECT_THROW(cpu->attention(std::span(&task, 1), {1, 1, 8}), LogicError);
  }
  const std::vector<int> right{2, 2, 4, 4};
  task.key_ends = right;
  EXPECT_NO_THROW(cpu->attention(std::span(&task, 1), {1, 1, 8}));
  task.importance = &importance;
  EXPECT_THROW(cpu->attention(std::span(&task, 1), {1, 1, 8}), LogicError);
}

INSTANTIATE_TEST_SUITE_P(Isa, KeyEndsTest, ::testing::ValuesIn(testing::isa_levels()),
                         testing::isa_test_name);

TEST(KeyEnds, TheCountingBackendCountsThePairsThatAreSeen) {
  const auto counting = create_counting_backend({});
  const Buffer memory = counting->allocate(1024);
  const Tensor q = memory.view(3, 16);
  const Tensor kv = memory.view(5, 8);
  const std::vector<int> ends{1, 4, 5};
  const AttentionTask task{.q = q, .kv = {kv, kv}, .out = q, .key_ends = ends};
  counting->attention(std::span(&task, 1), {2, 1, 8});
  const WorkCount count = counting->take();
  EXPECT_EQ(count.pairs, 2 * (1 + 4 + 5));
  EXPECT_EQ(count.all_pairs, 2 * 3 * 5);
  EXPECT_EQ(count.attention_operations, 4 * 8 * count.pairs);
}

}  // namespace
}  // namespace unmask
