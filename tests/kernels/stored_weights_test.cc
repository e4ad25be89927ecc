// Weights as the file stores them, through the backend: maps of several formats, heads whose rows
// take turns, experts.
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

#include "kernels/create_backend.h"
#include "kernels/random_blocks.h"
#include "support/isa.h"
#include "support/random_tensor.h"

namespace unmask {
namespace {

using testing::RandomBlocks;
using testing::RandomTensor;

constexpr int kStoredRows = 21;
constexpr int kStoredIn = 512;
constexpr int kStoredOut = 96;

class StoredMatrices : public ::testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Backend> stored(int threads = 2) const {
    return testing::create_cpu_backend_on(GetParam(),
                                          {.threads = threads, .weights = WeightType::stored});
  }
  std::mt19937 random_{17};
};

/// Query and key in Q4_K and value in Q6_K is what files have; here every format meets all others,
/// floats and int4 between them.
TEST_P(StoredMatrices, MapsOfOneCallMayDifferInFormat) {
  const auto backend = stored();
  const RandomTensor x(random_, kStoredRows, kStoredIn, 3);
  const RandomTensor floats(random_, kStoredOut, kStoredIn);
  std::vector<RandomBlocks> blocks;
  for (const BlockFormat format : testing::block_formats()) {
    blocks.emplace_back(random_, format, kStoredOut, kStoredIn);
  }
  std::vector<HostMatrix> matrices;
  for (const RandomBlocks& b : blocks) matrices.push_back(b.matrix());
  matrices.insert(matrices.begin() + 4, floats.matrix());
  matrices.insert(matrices.begin() + 9, floats.matrix());
  matrices[9].format = WeightType::int4;
  const auto packed = backend->pack_together(matrices);
  std::vector<RandomTensor> together(matrices.size(),
                                     RandomTensor(random_, kStoredRows, kStoredOut));
  std::vector<LinearMap> maps;
  for (size_t i = 0; i < packed.size(); ++i) maps.push_back({packed[i].get(), together[i].view()});
  backend->linear(x.view(), maps);
  for (size_t i = 0; i < packed.size(); ++i) {
    const RandomTensor alone(random_, kStoredRows, kStoredOut);
    backend->linear(x.view(), {packed[i].get(), alone.view()});
    EXPECT_EQ(together[i].values(), alone.values()) << i;
  }
}

TEST_P(StoredMatrices, AGateOfAnotherFormatMeetsWhatItMultiplies) {
  const auto backend = stored();
  const RandomTensor x(random_, kStoredRows, kStoredIn);
  const RandomBlocks gate(random_, BlockFormat::q4_k, kStoredOut, kStoredIn);
  const RandomBlocks up(random_, BlockFormat::q6_k, kStoredOut, kStoredIn);
  const auto first = backend->pack(gate.matrix());
  const auto second = backend->pack(up.matrix());
  const RandomTensor together(random_, kStoredRows, kStoredOut);
  const RandomTensor apart(random_, kStoredRows, kStoredOut);
  const LinearMap maps[] = {{first.get(), together.view()},
                            {second.get(), together.view(), {}, Into::gate}};
  backend->linear(x.view(), maps);
  backend->linear(x.view(), {first.get(), apart.view()});
  backend->linear(x.view(), {second.get(), apart.view(), {}, Into::gate});
  EXPECT_EQ(together.values(), apart.values());
}

TEST_P(StoredMatrices, HeadsWhoseRowsTakeTurnsComeOutInOrder) {
  const auto backend = stored();
  const RandomTensor x(random_, kStoredRows, kStoredIn);
  const RandomBlocks blocks(random_, BlockFormat::q5_k, kStoredOut, kStoredIn);
  HostMatrix turns = blocks.matrix();
  turns.interleaved = 24;
  const RandomTensor as_stored(random_, kStoredRows, kStoredOut);
  const RandomTensor in_order(random_, kStoredRows, kStoredOut);
  backend->linear(x.view(), {backend->pack(blocks.matrix()).get(), as_stored.view()});
  backend->linear(x.view(), {backend->pack(turns).get(), in_order.view()});
  for (int r = 0; r < kStoredRows; ++r) {
    for (int o = 0; o < kStoredOut; ++o) {
      const int i = o % 24;
      const int from = o - i + 2 * (i % 12) + i / 12;
      ASSERT_EQ(in_order.view().f32(r)[o], as_stored.view().f32(r)[from]) << o;
    }
  }
}

/// Matrices one behind the other, as files stack those of experts.
struct Stack {
  Stack(std::mt19937& random, BlockFormat format, int experts, int out, int in)
      : blocks(random, format, experts * out, in), rows(out) {}
  HostMatrix of(int expert) const {
    HostMatrix matrix = blocks.matrix();
    matrix.data = matrix.row(expert * rows);
    matrix.out = rows;
    return matrix;
  }
  RandomBlocks blocks;
  int rows;
};

TEST_P(StoredMatrices, ExpertsAreSlicesOfStacks) {
  constexpr int kExperts = 5;
  constexpr int kWidth = 256;
  const RandomTensor x(random_, kStoredRows, kStoredIn);
  const RandomTensor router(random_, kExperts, kStoredIn, 0, 0.05F);
  const Stack gate(random_, BlockFormat::q4_k, kExperts, kWidth, kStoredIn);
  const Stack up(random_, BlockFormat::iq4_nl, kExperts, kWidth, kStoredIn);
  const Stack down(random_, BlockFormat::q6_k, kExperts, kStoredIn, kWidth);
  const auto run = [&](Backend& backend) {
    std::vector<std::unique_ptr<PackedMatrix>> packed;
    std::vector<GatedMaps> maps;
    for (int e = 0; e < kExperts; ++e) {
      for (const Stack* stack : {&gate, &up, &down}) packed.push_back(backend.pack(stack->of(e)));
      const size_t first = packed.size() - 3;
      maps.push_back({packed[first].get(), packed[first + 1].get(), packed[first + 2].get()});
    }
    RandomTensor out(random_, kStoredRows, kStoredIn);
    backend.experts(x.view(), {.router = router.view(), .maps = maps, .routing = {.top_k = 2}},
                    out.view(), Into::store);
    return out;
  };
  const RandomTensor exact = run(*create_reference_backend());
  const RandomTensor found = run(*stored());
  double error = 0;
  double size = 0;
  for (size_t i = 0; i < exact.values().size(); ++i) {
    error += std::pow(double{found.values()[i]} - double{exact.values()[i]}, 2);
    size += std::pow(double{exact.values()[i]}, 2);
  }
  EXPECT_LT(std::sqrt(error / size), 0.03);  // three products, each of inputs in 8 bits
  EXPECT_GT(size, 0);
  EXPECT_EQ(run(*stored(3)).values(), found.values());
}

INSTANTIATE_TEST_SUITE_P(Isa, StoredMatrices, ::testing::ValuesIn(testing::isa_levels()),
                         testing::isa_test_name);

}  // namespace
}  // namespace unmask
