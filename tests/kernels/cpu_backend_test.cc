// What the CPU backend promises beyond the common suite: bits that depend on nothing around a row.
#include <atomic>
#include <gtest/gtest.h>
#include <numeric>
#include <random>

#include "kernels/create_backend.h"
#include "support/isa.h"
#include "support/random_tensor.h"

namespace unmask {
namespace {

using testing::RandomTensor;

class CpuBackend : public ::testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Backend> cpu(int threads, WeightType weights = WeightType::f32) const {
    return testing::create_cpu_backend_on(GetParam(), {.threads = threads, .weights = weights});
  }
  std::mt19937 random_{7};
};

TEST_P(CpuBackend, SaysWhichInstructionsItUses) {
  const std::string found = cpu(3)->describe();
  EXPECT_EQ(found.rfind("cpu " + GetParam() + ", 3 threads, products: ", 0), 0U) << found;
}

TEST_P(CpuBackend, ARotationThatWasStoppedIsRightTheNextTime) {
  std::atomic<bool> flag{true};
  const auto stopped =
      testing::create_cpu_backend_on(GetParam(), {.threads = 1, .stop = StopToken(flag)});
  const RandomTensor x(random_, 40, 64);
  const RandomTensor y = x;
  std::vector<int> positions(40);
  std::iota(positions.begin(), positions.end(), 7);
  EXPECT_THROW(stopped->rope(x.view(), positions, plain_rotation(32, 1e4F)), Stopped);
  flag = false;
  stopped->rope(x.view(), positions, plain_rotation(32, 1e4F));
  cpu(1)->rope(y.view(), positions, plain_rotation(32, 1e4F));
  for (int c = 0; c < 64; ++c) EXPECT_EQ(x.view().f32(39)[c], y.view().f32(39)[c]);
}

TEST_P(CpuBackend, RowsOfProductsDoNotDependOnTheirNeighboursOrThreads) {
  const RandomTensor x(random_, 300, 256);
  const RandomTensor w(random_, 500, 256);
  for (const WeightType type : {WeightType::f32, WeightType::bf16}) {
    const RandomTensor all(random_, 300, 500);
    const auto one = cpu(1, type);
    const auto packed_for_one = one->pack(w.matrix());
    one->linear(x.view(), {packed_for_one.get(), all.view()});
    const auto many = cpu(4, type);
    const auto packed = many->pack(w.matrix());
    for (const Range rows : {Range{0, 1}, Range{3, 10}, Range{17, 50}, Range{0, 300}}) {
      const RandomTensor part(random_, rows.size(), 500);
      many->linear(x.view().slice(rows), {packed.get(), part.view()});
      for (int r = 0; r < rows.size(); ++r) {
        for (int c = 0; c < 500; ++c) {
          ASSERT_EQ(part.view().f32(r)[c], all.view().f32(rows.begin + r)[c]) << r << ", " << c;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, CpuBackend, ::testing::ValuesIn(testing::isa_levels()),
                         testing::isa_test_name);

TEST(CpuBackendOptions, RefuseWhatCannotBe) {
  EXPECT_THROW(create_cpu_backend({.threads = 1, .kernels = "sse9"}), Error);
  EXPECT_THROW(create_cpu_backend({.threads = -1}), Error);
}

}  // namespace
}  // namespace unmask
