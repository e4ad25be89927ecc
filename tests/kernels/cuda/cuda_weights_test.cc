// Weights and tables whose rows lie apart, and formats that a device does not have, on a device of
// host memory.
#include <algorithm>
#include <gtest/gtest.h>
#include <random>

#include "kernels/cuda/backend.h"
#include "kernels/random_blocks.h"
#include "support/device_tensor.h"
#include "support/random_tensor.h"

namespace unmask {
namespace {

using testing::DeviceTensor;
using testing::RandomTensor;

constexpr int kOut = 40;
constexpr int kIn = 24;
constexpr int kApart = 29;  // elements from row to row

class CudaWeights : public ::testing::Test {
 protected:
  CudaWeights() {
    for (int i = 0; i < kOut * kApart; ++i) {
      narrow_[static_cast<size_t>(i)] = f32_to_bf16(values_.values()[static_cast<size_t>(i)]);
    }
    for (int r = 0; r < kOut; ++r) {
      std::copy_n(narrow_.data() + r * kApart, kIn, dense_.data() + r * kIn);
      for (int c = 0; c < kIn; ++c) {
        wide_[static_cast<size_t>(r * kApart + c)] =
            bf16_to_f32(dense_[static_cast<size_t>(r * kIn + c)]);
      }
    }
  }
  HostMatrix dense() const { return {dense_.data(), DType::bf16, kOut, kIn}; }
  std::vector<HostMatrix> apart() const {
    return {{narrow_.data(), DType::bf16, kOut, kIn, kApart},
            {wide_.data(), DType::f32, kOut, kIn, kApart}};
  }
  std::vector<float> product(const HostMatrix& weights) {
    const DeviceTensor out(*cuda_, RandomTensor(random_, 3, kOut).view(), DType::f32);
    const auto packed = cuda_->pack(weights);
    cuda_->linear(x_.view(), {packed.get(), out.view()});
    return out.values();
  }
  std::vector<float> rows(const HostMatrix& table) {
    const DeviceTensor out(*cuda_, RandomTensor(random_, 3, kIn).view(), DType::f32);
    cuda_->embed(std::vector<TokenId>{39, 0, 7}, table, out.view());
    return out.values();
  }

  std::mt19937 random_{17};
  std::unique_ptr<Backend> cuda_ = cuda::create_backend({.threads = 1});
  RandomTensor values_{random_, kOut, kApart};
  std::vector<uint16_t> narrow_ = std::vector<uint16_t>(kOut * kApart);
  std::vector<uint16_t> dense_ = std::vector<uint16_t>(kOut * kIn);
  std::vector<float> wide_ = std::vector<float>(kOut * kApart);
  DeviceTensor x_{*cuda_, RandomTensor(random_, 3, kIn).view(), DType::f32};
};

TEST_F(CudaWeights, RowsThatLieApartEqualTheirDenseCopy) {
  const std::vector<float> products = product(dense());
  const std::vector<float> embedded = rows(dense());
  for (const HostMatrix& m : apart()) {
    EXPECT_EQ(product(m), products);
    EXPECT_EQ(rows(m), embedded);
  }
}

TEST_F(CudaWeights, OtherFormatsThanBfloat16AreErrors) {
  HostMatrix matrix = dense();
  matrix.format = WeightType::bf16;
  EXPECT_EQ(product(matrix), product(dense()));
  matrix.format = WeightType::int8;
  try {
    cuda_->pack(matrix);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "[cuda] weights: found int8, expected bf16, the one type there is");
    EXPECT_EQ(error.code(), ErrorCode::device_type);
  }
}

/// Products are of the values as bfloat16; a table keeps them in float32.
TEST(CudaBlocks, AreDequantizedWhereTheyArePacked) {
  std::mt19937 random(19);
  const auto cuda = cuda::create_backend({.threads = 1});
  const DeviceTensor x(*cuda, RandomTensor(random, 3, 256).view(), DType::f32);
  for (const BlockFormat format : testing::block_formats()) {
    SCOPED_TRACE(testing::test_name(format));
    const testing::RandomBlocks blocks(random, format, 48, 256);
    HostMatrix matrix = blocks.matrix();
    matrix.interleaved = 24;
    std::vector<float> values(48 * 256);
    for (int r = 0; r < 48; ++r) matrix.widen_row(r, values.data() + r * 256);
    const auto product = [&](const HostMatrix& weights) {
      const DeviceTensor out(*cuda, RandomTensor(random, 3, 48).view(), DType::f32);
      const auto packed = cuda->pack(weights);
      cuda->linear(x.view(), {packed.get(), out.view()});
      return out.values();
    };
    EXPECT_EQ(product(matrix), product({values.data(), DType::f32, 48, 256}));
    const DeviceTensor rows(*cuda, RandomTensor(random, 2, 256).view(), DType::f32);
    cuda->embed(std::vector<TokenId>{47, 5}, matrix, rows.view());
    const std::vector<float> found = rows.values();
    EXPECT_TRUE(std::equal(found.begin(), found.begin() + 256, values.begin() + 47 * 256));
    EXPECT_TRUE(std::equal(found.begin() + 256, found.end(), values.begin() + 5 * 256));
  }
}

}  // namespace
}  // namespace unmask
