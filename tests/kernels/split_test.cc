// A backend on several ranks computes the bits of one on its own: products, attention, experts.
#include "kernels/split.h"

#include <cmath>
#include <gtest/gtest.h>

#include "kernels/create_backend.h"
#include "kernels/expert_case.h"
#include "kernels/panels.h"
#include "kernels/random_blocks.h"
#include "support/random_tensor.h"
#include "support/thread_ranks.h"

namespace unmask {
namespace {

using testing::expert_shapes;
using testing::ExpertCase;
using testing::RandomBlocks;
using testing::RandomTensor;
using testing::ThreadRanks;

constexpr int kMostRanks = 5;

/// Computes on 1, 2, ... ranks; every rank must get what one backend gets that is alone.
void expect_same_on_ranks(WeightType weights,
                          const std::function<std::vector<std::vector<float>>(Backend&)>& compute) {
  const auto alone = create_cpu_backend({.threads = 2, .weights = weights});
  const auto expected = compute(*alone);
  for (int n = 1; n <= kMostRanks; ++n) {
    ThreadRanks ranks(n);
    ranks.each([&](Communicator& own) {
      const auto backend = create_cpu_backend({.threads = 1, .weights = weights, .ranks = &own});
      EXPECT_EQ(compute(*backend), expected) << "rank " << own.rank() << " of " << n;
    });
  }
}

struct MapShape {
  int rows, in, out;
};

TEST(Split, ProductsHaveTheBitsOfOneRank) {
  for (const WeightType type : kWeightTypes) {
    for (const MapShape& s : {MapShape{3, 33, 5}, {7, 64, 130}, {40, 96, 400}, {0, 8, 8}}) {
      std::mt19937 random(5);
      const RandomTensor x(random, s.rows, s.in, 2);
      const RandomTensor a(random, s.out, s.in);
      const RandomTensor b(random, s.out, s.in);
      const RandomTensor narrow(random, 3, s.in);
      const RandomTensor bias(random, 1, s.out);
      const RandomTensor before(random, s.rows, s.out, 3);
      expect_same_on_ranks(type, [&](Backend& backend) {
        const HostMatrix matrices[] = {a.matrix(), b.matrix(), narrow.matrix()};
        const auto packed = backend.pack_together(matrices);
        const RandomTensor sum(before);
        const RandomTensor gated(before);
        std::vector<float> small(static_cast<size_t>(s.rows) * 3);
        const LinearMap maps[] = {{packed[0].get(), gated.view(), bias.view()},
                                  {packed[1].get(), gated.view(), {}, Into::gate},
                                  {packed[1].get(), sum.view(), {}, Into::add},
                                  {packed[2].get(), {small.data(), DType::f32, s.rows, 3, 3}}};
        backend.linear(x.view(), maps);
        EXPECT_TRUE(backend.whole(sum.view()));
        backend.complete(gated.view());
        return std::vector<std::vector<float>>{gated.values(), sum.values(), small};
      });
    }
  }
}

TEST(Split, RanksKeepTheirShareOfTheBytes) {
  std::mt19937 random(6);
  const RandomTensor weights(random, 512, 64);
  for (const WeightType type : kWeightTypes) {
    const size_t whole =
        create_cpu_backend({.threads = 1, .weights = type})->pack(weights.matrix())->bytes();
    ThreadRanks ranks(4);
    ranks.each([&](Communicator& own) {
      const auto backend = create_cpu_backend({.threads = 1, .weights = type, .ranks = &own});
      EXPECT_EQ(backend->pack(weights.matrix())->bytes(), whole / 4) << weight_type_name(type);
    });
  }
}

/// The rows of a matrix, or of its parts one after the other.
std::vector<float> rows_of(const HostMatrix& matrix) {
  std::vector<float> all(static_cast<size_t>(matrix.out) * static_cast<size_t>(matrix.in));
  for (int r = 0; r < matrix.out; ++r) {
    float* row = all.data() + int64_t{r} * matrix.in;
    if (matrix.in_panels) {
      unpack_row(matrix, r, row);
    } else {
      matrix.widen_row(r, row);
    }
  }
  return all;
}

TEST(Split, PartsOfAMatrixAreTheMatrix) {
  std::mt19937 random(7);
  ThreadPool pool(1);
  const RandomTensor floats(random, 320, 32, 5);
  const RandomBlocks blocks(random, BlockFormat::q6_k, 96, 256);
  HostMatrix heads = floats.matrix();
  heads.interleaved = 20;
  HostMatrix panels = floats.matrix();
  panels.format = WeightType::int8;
  const Buffer bytes = allocate_host(*panels_bytes(panels));
  pack_panels(panels, pool, static_cast<std::byte*>(bytes.data()));
  panels.data = bytes.data();
  panels.stride = 0;
  panels.in_panels = true;
  for (const HostMatrix& matrix : {floats.matrix(), heads, blocks.matrix(), panels}) {
    for (int n = 1; n <= kMostRanks; ++n) {
      std::vector<float> joined;
      for (int r = 0; r < n; ++r) {
        const HostMatrix part = part_of(matrix, cut_outputs(matrix, n).of(r));
        const std::vector<float> own = rows_of(part);
        joined.insert(joined.end(), own.begin(), own.end());
      }
      EXPECT_EQ(joined, rows_of(matrix)) << n;
    }
  }
}

/// Attention over 48 slots with 6 query heads on 3 key heads.
struct AttentionCase {
  static constexpr int kSlots = 48;
  static constexpr int kBlock = 8;
  HeadShape shape{.n_heads = 6, .n_kv_heads = 3, .head_dim = 16};

  explicit AttentionCase(std::mt19937& random)
      : q(random, kSlots, 96, 1), k(random, kSlots, 48), v(random, kSlots, 48, 4) {
    for (int head = 0; head < shape.n_heads; ++head) {
      for (uint16_t block = 0; block < kSlots / kBlock; ++block) {
        const auto other = static_cast<uint16_t>((block + head) % (kSlots / kBlock));
        const uint16_t list[] = {std::min(block, other), std::max(block, other)};
        pattern.append(std::span(list).first(block == other ? 1 : 2));
      }
    }
    for (int p = 0; p < kSlots; ++p) positions.push_back(p);
    for (int list = 0; list < shape.n_heads * kSlots / kBlock; ++list) {
      const uint16_t keys[] = {static_cast<uint16_t>(list), static_cast<uint16_t>(list + 9)};
      columns.append(keys);
    }
  }

  RandomTensor q, k, v;
  BlockPattern pattern{kBlock, shape.n_heads, kSlots / kBlock};
  BlockPattern columns = BlockPattern::of_columns(kBlock, shape.n_heads, kSlots / kBlock);
  std::vector<int> positions;
};

TEST(Split, AttentionHasTheBitsOfOneRank) {
  std::mt19937 random(9);
  const AttentionCase c(random);
  for (const WeightType type : {WeightType::f32, WeightType::bf16}) {
    expect_same_on_ranks(type, [&](Backend& backend) {
      std::vector<RandomTensor> outs(5, c.q);
      std::vector<float> lse(c.positions.size() * 6);
      BlockImportance importance;
      importance.block_size = AttentionCase::kBlock;
      importance.scale = 0.2F;
      importance.first_generation_block = 2;
      const std::vector<int> ends(c.positions.size(), 17);
      PackedKv packed;
      const KvView kv{c.k.view(), c.v.view(), &packed};
      const AttentionTask tasks[] = {
          {.q = c.q.view(),
           .kv = {c.k.view(), c.v.view()},
           .out = outs[0].view(),
           .importance = &importance},
          {.q = c.q.view(),
           .kv = kv,
           .out = outs[1].view(),
           .pattern = &c.pattern,
           .positions = c.positions},
          {.q = c.q.view(), .kv = kv, .out = outs[2].view(), .key_ends = ends, .lse = lse.data()},
          {.q = c.q.view().slice({3, 9}),
           .kv = {c.k.view(), c.v.view()},
           .out = outs[3].view().slice({3, 9})},
          {.q = c.q.view(),
           .kv = {c.k.view(), c.v.view()},
           .out = outs[4].view(),
           .pattern = &c.columns,
           .positions = c.positions}};
      backend.attention(tasks, c.shape);
      std::vector<std::vector<float>> found{lse, importance.all, importance.generation};
      for (const RandomTensor& out : outs) {
        backend.complete(out.view());
        found.push_back(out.values());
      }
      return found;
    });
  }
}

/// What a gate leaves goes into another product, which takes it in the form of its weights.
std::vector<std::vector<float>> gated_product(Backend& backend, const RandomTensor& x,
                                              std::span<const HostMatrix> matrices) {
  const auto packed = backend.pack_together(matrices);
  const int rows = x.view().rows;
  const Buffer memory = backend.allocate(dense_bytes(rows, matrices[0].out, DType::f32));
  const Buffer result = backend.allocate(dense_bytes(rows, matrices[2].out, DType::f32));
  const Tensor inner = memory.view(rows, matrices[0].out);
  const Tensor out = result.view(rows, matrices[2].out);
  const LinearMap gated[] = {{packed[0].get(), inner}, {packed[1].get(), inner, {}, Into::gate}};
  backend.linear(x.view(), gated);
  backend.linear(inner, {.weights = packed[2].get(), .out = out});
  std::vector<std::vector<float>> found;
  for (const Tensor& t : {out, inner}) {  // which may be read afterwards
    found.emplace_back(static_cast<size_t>(t.rows) * static_cast<size_t>(t.cols));
    backend.download(t, found.back().data());
  }
  return found;
}

TEST(Split, InputsInPartsHaveTheBitsOfWholeOnes) {
  struct Shape {
    int rows, in, inner, out;
  };
  // Shares of whole blocks of 256 and shares that end within them; more ranks than columns.
  for (const Shape& s :
       {Shape{5, 40, 512, 70}, {33, 24, 400, 96}, {3, 16, 1300, 3}, {2, 8, 4, 5}}) {
    for (const WeightType type : kWeightTypes) {
      std::mt19937 random(13);
      const RandomTensor x(random, s.rows, s.in, 3);
      const RandomTensor gate(random, s.inner, s.in);
      const RandomTensor up(random, s.inner, s.in);
      const RandomTensor down(random, s.out, s.inner);
      const HostMatrix matrices[] = {gate.matrix(), up.matrix(), down.matrix()};
      expect_same_on_ranks(type,
                           [&](Backend& backend) { return gated_product(backend, x, matrices); });
    }
  }
}

TEST(Split, AnInputThatIsNoNumberReachesAllRanks) {
  std::mt19937 random(14);
  const RandomTensor down(random, 130, 600);
  const RandomTensor gate(random, 600, 32);
  RandomTensor x(random, 2, 32);
  x.view().f32(1)[3] = std::numeric_limits<float>::quiet_NaN();
  const HostMatrix matrices[] = {gate.matrix(), gate.matrix(), down.matrix()};
  for (const WeightType type : kWeightTypes) {
    ThreadRanks ranks(3);
    ranks.each([&](Communicator& own) {
      const auto backend = create_cpu_backend({.threads = 1, .weights = type, .ranks = &own});
      const auto out = gated_product(*backend, x, matrices)[0];
      EXPECT_TRUE(std::isfinite(out[0]));
      EXPECT_TRUE(std::isnan(out[130])) << weight_type_name(type);
    });
  }
}

TEST(Split, InputsTravelInTheFormThatProductsTake) {
  std::mt19937 random(15);
  constexpr int kRanks = 3;
  constexpr int kRows = 7;
  const RandomTensor x(random, kRows, 24);
  const bool narrow = cpu_capabilities(environment::cpu_kernels()).bf16_inputs;
  for (const int inner : {768, 832}) {  // 4 x 64, 4 x 64, 4 x 64; 5 x 64, 4 x 64, 4 x 64
    const RandomTensor gate(random, inner, 24);
    const RandomTensor down(random, 192, inner);
    const int64_t pieces = inner == 768 ? 3 : 6;  // of blocks: 256 + 64, 192 + 64, 192 + 64
    const std::pair<WeightType, int64_t> row_bytes[] = {
        {WeightType::f32, 4 * inner},
        {WeightType::bf16, (narrow ? 2 : 4) * inner},
        {WeightType::int8, inner + 4 * kRanks},
        {WeightType::int4, inner + 4 * pieces}};
    for (const auto& [type, bytes] : row_bytes) {
      int64_t received = 0;
      std::mutex lock;
      ThreadRanks ranks(kRanks);
      ranks.each([&, type = type](Communicator& own) {
        const auto backend = create_cpu_backend({.threads = 1, .weights = type, .ranks = &own});
        const HostMatrix matrices[] = {gate.matrix(), gate.matrix(), down.matrix()};
        const auto packed = backend->pack_together(matrices);
        const Buffer memory = backend->allocate(dense_bytes(kRows, inner, DType::f32));
        const Buffer result = backend->allocate(dense_bytes(kRows, 192, DType::f32));
        const Tensor between = memory.view(kRows, inner);
        const LinearMap gated[] = {{packed[0].get(), between},
                                   {packed[1].get(), between, {}, Into::gate}};
        backend->linear(x.view(), gated);
        EXPECT_EQ(own.traffic().bytes, 0);
        backend->linear(between, {packed[2].get(), result.view(kRows, 192)});
        const std::lock_guard held(lock);
        received += own.traffic().bytes;
      });
      EXPECT_EQ(received, kRows * (bytes + 4 * 192) * (kRanks - 1)) << weight_type_name(type);
    }
  }
}

TEST(Split, ExpertsHaveTheBitsOfOneRank) {
  for (const WeightType type : kWeightTypes) {
    for (const testing::ExpertShape& shape : expert_shapes()) {
      std::mt19937 random(11);
      const ExpertCase c(random, shape);
      const RandomTensor before(random, shape.rows, shape.dim);
      expect_same_on_ranks(type, [&](Backend& backend) {
        std::vector<std::vector<float>> found;
        for (const Into into : {Into::store, Into::add}) {
          const RandomTensor out(before);
          c.run(backend, c.x.view(), out.view(), into);
          found.push_back(out.values());
        }
        return found;
      });
    }
  }
}

}  // namespace
}  // namespace unmask
