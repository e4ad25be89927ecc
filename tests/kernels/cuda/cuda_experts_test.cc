// Experts on a device of host memory beyond the common suite: activations in bfloat16, tables that
// stay, and what the kernels have no room for.
#include <cmath>
#include <gtest/gtest.h>

#include "kernels/create_backend.h"
#include "kernels/cuda/backend.h"
#include "kernels/expert_case.h"
#include "support/rounding.h"

namespace unmask {
namespace {

using testing::DeviceTensor;
using testing::ExpertCase;
using testing::RandomTensor;

class CudaExperts : public ::testing::Test {
 protected:
  std::mt19937 random_{41};
  std::unique_ptr<Backend> cuda_ = cuda::create_backend({.threads = 1});
};

TEST_F(CudaExperts, OfBfloat16RowsThatLieApart) {
  ExpertCase c(random_, {9, 36, 20, 6, 3, true, 1.5F, 12});  // depths that are padded on the device
  c.narrow();
  const RandomTensor before(random_, 9, 36, 4);
  const DeviceTensor x(*cuda_, c.x.view(), DType::bf16);
  const DeviceTensor out(*cuda_, before.view(), DType::bf16);
  c.run(*cuda_, x.view(), out.view(), Into::store);
  const std::vector<float> found = out.values();
  for (int r = 0; r < 9; ++r) {
    for (int i = 0; i < 36; ++i) {
      const ExpertCase::Value v = c.expected(r, i);
      // The result is rounded twice more, before and after the shared expert is added.
      ASSERT_NEAR(found[static_cast<size_t>(r * 36 + i)], v.value, 8 * testing::kUnit16 * v.terms)
          << "row " << r << " column " << i;
    }
  }
}

TEST_F(CudaExperts, ARowDoesNotDependOnItsNeighbours) {
  const ExpertCase c(random_, {33, 48, 16, 9, 4, true, 1, 16});
  const DeviceTensor x(*cuda_, c.x.view());
  const DeviceTensor all(*cuda_, RandomTensor(random_, 33, 48).view());
  c.run(*cuda_, x.view(), all.view(), Into::store);
  const std::vector<float> together = all.values();
  for (const int r : {0, 17, 32}) {
    const DeviceTensor one(*cuda_, RandomTensor(random_, 1, 48).view());
    c.run(*cuda_, x.view().slice({r, r + 1}), one.view(), Into::store);
    const std::vector<float> alone = one.values();
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + r * 48)) << r;
  }
}

TEST_F(CudaExperts, OfManyModelsInTurn) {
  // More tables than stay, some of them at the addresses of those that are gone.
  for (int model = 0; model < 300; ++model) {
    ExpertCase c(random_, {1, 8, 8, 2, 1, false, 1, 0});
    c.narrow();
    const DeviceTensor x(*cuda_, c.x.view());
    const DeviceTensor out(*cuda_, RandomTensor(random_, 1, 8).view());
    c.run(*cuda_, x.view(), out.view(), Into::store);
    const ExpertCase::Value v = c.expected(0, 5);
    ASSERT_NEAR(out.values()[5], v.value, 6 * testing::kUnit16 * v.terms) << model;
  }
}

TEST_F(CudaExperts, MoreThanTheKernelsHoldAreAnError) {
  const ExpertCase c(random_, {1, 8, 8, 513, 1, false, 1, 0});
  const DeviceTensor x(*cuda_, c.x.view());
  const DeviceTensor out(*cuda_, RandomTensor(random_, 1, 8).view());
  try {
    c.run(*cuda_, x.view(), out.view(), Into::store);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "[cuda] experts: found 513 in 1 groups, expected at most 512 in 32");
    EXPECT_EQ(error.code(), ErrorCode::device);
  }
}

}  // namespace
}  // namespace unmask
