// What the CUDA backend does beyond the common suite, on a device of host memory that only the
// device's own work can touch: bfloat16 activations, matrices side by side, lists that stay on the
// device.
//
// Products and attention round their inputs to bfloat16, so the reference gets rounded inputs; what
// remains is the order of float32 sums and, for attention, the rounding of weights and result.
#include <cmath>
#include <gtest/gtest.h>

#include "kernels/create_backend.h"
#include "kernels/cuda/backend.h"
#include "support/device_tensor.h"
#include "support/random_tensor.h"

namespace unmask {
namespace {

using testing::DeviceTensor;
using testing::RandomTensor;

/// Dense rows of a host tensor.
std::vector<float> dense_values(Tensor t) {
  std::vector<float> out;
  for (int r = 0; r < t.rows; ++r) out.insert(out.end(), t.f32(r), t.f32(r) + t.cols);
  return out;
}

/// Up to `bound`, and to the rounding of what the device keeps as bfloat16.
void expect_close(const DeviceTensor& a, Tensor b, double bound) {
  const double rounding = a.view().dtype == DType::bf16 ? 1.0 / 256 : 0;
  const std::vector<float> found = a.values();
  const std::vector<float> expected = dense_values(b);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    ASSERT_NEAR(found[i], expected[i], bound + rounding * std::abs(expected[i])) << i;
  }
}

class CudaBackendTest : public ::testing::Test {
 protected:
  DeviceTensor put(Tensor host, DType type = DType::f32) { return {*cuda_, host, type}; }
  RandomTensor rounded(int rows, int cols, int padding = 0, float scale = 1) {
    const RandomTensor made(random_, rows, cols, padding, scale);
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < cols; ++c) {
        float& value = made.view().f32(r)[c];
        value = bf16_to_f32(f32_to_bf16(value));
      }
    }
    return made;
  }

  std::mt19937 random_{17};
  std::unique_ptr<Backend> cuda_ = cuda::create_backend({.threads = 1});
  std::unique_ptr<Backend> reference_ = create_reference_backend();
};

using CudaBackendDeathTest = CudaBackendTest;

TEST_F(CudaBackendDeathTest, MemoryOfTheDeviceIsOutOfReach) {
  const Buffer buffer = cuda_->allocate(64);
  EXPECT_DEATH(static_cast<volatile float*>(buffer.data())[0] = 1, "");
}

TEST_F(CudaBackendTest, Linear) {
  for (const auto& [rows, in, out, padding] :
       {std::array{1, 1, 1, 3}, std::array{5, 33, 70, 3}, std::array{65, 128, 320, 8}}) {
    const RandomTensor x = rounded(rows, in, padding);
    const RandomTensor weights = rounded(out, in);
    const RandomTensor bias(random_, 1, out);
    const RandomTensor before(random_, rows, out, 5);
    const DeviceTensor device_bias = put(bias.view());
    const auto on_device = cuda_->pack(weights.matrix());
    const auto on_host = reference_->pack(weights.matrix());
    for (const DType type : {DType::f32, DType::bf16}) {
      for (const bool biased : {true, false}) {
        for (const Into into : {Into::store, Into::add, Into::gate}) {
          RandomTensor expected(before);
          const DeviceTensor result = put(before.view(), type);
          cuda_->linear(put(x.view(), type).view(), {on_device.get(), result.view(),
                                                     biased ? device_bias.view() : Tensor{}, into});
          reference_->linear(
              x.view(), {on_host.get(), expected.view(), biased ? bias.view() : Tensor{}, into});
          // Rounded before: the bias, what is added to, the two sides of a gate.
          const double inputs = type == DType::bf16 ? 4.0 / 256 : 0;
          const double largest = into == Into::gate ? 4.0 * std::sqrt(in) : 4;
          expect_close(result, expected.view(), largest * (inputs + 8 * 6e-8 * (2.0 * in + 4)));
        }
      }
    }
  }
}

TEST_F(CudaBackendTest, MatricesThatArePackedTogetherActAsThemselves) {
  constexpr int kIn = 36;  // padded on the device
  const RandomTensor query = rounded(48, kIn);
  const RandomTensor key = rounded(16, kIn);
  const RandomTensor value = rounded(16, kIn);
  const std::vector<HostMatrix> matrices{query.matrix(), key.matrix(), value.matrix()};
  const auto joined = cuda_->pack_together(matrices);
  const auto expected = reference_->pack_together(matrices);
  const RandomTensor bias(random_, 1, 48);
  const DeviceTensor device_bias = put(bias.view());
  for (const int rows : {1, 33, 256, 257}) {
    const RandomTensor x = rounded(rows, kIn);
    const RandomTensor a(random_, rows, 48, 2);
    const RandomTensor b(random_, rows, 16);
    const RandomTensor c(random_, rows, 16, 4);
    const DeviceTensor found_a = put(a.view(), DType::bf16);
    const DeviceTensor found_b = put(b.view());
    const DeviceTensor found_c = put(c.view(), DType::bf16);
    const LinearMap on_device[] = {{joined[0].get(), found_a.view(), device_bias.view()},
                                   {joined[1].get(), found_b.view()},
                                   {joined[2].get(), found_c.view()}};
    const LinearMap on_host[] = {{expected[0].get(), a.view(), bias.view()},
                                 {expected[1].get(), b.view()},
                                 {expected[2].get(), c.view()}};
    cuda_->linear(put(x.view()).view(), on_device);
    reference_->linear(x.view(), on_host);
    // Beyond few rows the bias is rounded before it is added.
    expect_close(found_a, a.view(), rows > 256 ? 2e-2 : 1e-4);
    expect_close(found_b, b.view(), 1e-4);
    expect_close(found_c, c.view(), 1e-4);
    // One of them alone, and two in the wrong order.
    cuda_->linear(put(x.view()).view(), std::array{on_device[2], on_device[1]});
    expect_close(found_b, b.view(), 1e-4);
    expect_close(found_c, c.view(), 1e-4);
  }
}

TEST_F(CudaBackendTest, GatesThatArePackedTogetherActAsThemselves) {
  const RandomTensor gate = rounded(40, 24);
  const RandomTensor up = rounded(40, 24);
  const auto joined = cuda_->pack_together(std::array{gate.matrix(), up.matrix()});
  const auto expected = reference_->pack_together(std::array{gate.matrix(), up.matrix()});
  const auto apart = cuda_->pack(up.matrix());
  for (const int rows : {1, 40, 300}) {
    const RandomTensor x = rounded(rows, 24);
    const RandomTensor out(random_, rows, 40, 1);
    const DeviceTensor found = put(out.view());
    const DeviceTensor input = put(x.view());
    const auto gated = [&](Backend& backend, Tensor in, const auto& weights, Tensor to) {
      backend.linear(
          in, std::array{LinearMap{weights[0], to}, LinearMap{weights[1], to, {}, Into::gate}});
    };
    gated(*reference_, x.view(), std::array{expected[0].get(), expected[1].get()}, out.view());
    gated(*cuda_, input.view(), std::array{joined[0].get(), joined[1].get()}, found.view());
    expect_close(found, out.view(), 1e-3);
    gated(*cuda_, input.view(), std::array{joined[0].get(), apart.get()}, found.view());
    expect_close(found, out.view(), 1e-3);
  }
}

TEST_F(CudaBackendTest, WeightsOfEveryTypeRoundToTheSameMatrix) {
  const RandomTensor weights = rounded(40, 24);
  std::vector<uint16_t> narrow(40 * 24);
  std::vector<uint16_t> half(narrow.size());
  to_bf16(weights.values().data(), DType::f32, narrow.size(), narrow.data());
  for (size_t i = 0; i < half.size(); ++i) half[i] = f32_to_f16(weights.values()[i]);
  const RandomTensor x(random_, 3, 24);
  const RandomTensor empty(random_, 3, 40);
  const DeviceTensor input = put(x.view());
  std::vector<std::vector<float>> results;
  for (const HostMatrix& m : {weights.matrix(), HostMatrix{narrow.data(), DType::bf16, 40, 24},
                              HostMatrix{half.data(), DType::f16, 40, 24}}) {
    const DeviceTensor out = put(empty.view());
    const auto packed = cuda_->pack(m);
    cuda_->linear(input.view(), {packed.get(), out.view()});
    results.push_back(out.values());
  }
  EXPECT_EQ(results[0], results[1]);
  // Half precision keeps more digits than bfloat16, but not of the smallest numbers.
  for (size_t i = 0; i < results[0].size(); ++i) EXPECT_NEAR(results[0][i], results[2][i], 1e-5);
}

TEST_F(CudaBackendTest, RowsAndCellsInBfloat16) {
  const RandomTensor residual(random_, 9, 40, 3);
  const RandomTensor weight(random_, 1, 40);
  const RandomTensor normed = rounded(9, 40);
  const DeviceTensor narrow = put(normed.view(), DType::bf16);
  EXPECT_EQ(narrow.values(), dense_values(normed.view()));
  cuda_->rms_norm(put(residual.view()).view(), put(weight.view()).view(), 1e-5F, narrow.view());
  reference_->rms_norm(residual.view(), weight.view(), 1e-5F, normed.view());
  expect_close(narrow, normed.view(), 0);

  const std::vector<int> positions{0, 1, 2, 17, 100, 511, 1000, 4095, 3};
  const RandomTensor expected = rounded(9, 40);
  const DeviceTensor turned = put(expected.view(), DType::bf16);
  Rotation rotation = plain_rotation(8, 500000.0F);
  rotation.scale = 1.125F;
  cuda_->rope(turned.view(), positions, rotation);
  reference_->rope(expected.view(), positions, rotation);
  expect_close(turned, expected.view(), 1.2 * (1e-6 + 5e-7 * 4095));

  const DeviceTensor wide = put(residual.view());
  const Rows rows(std::vector<int>{1, 4, 7});
  cuda_->gather(turned.view(), rows, wide.view().slice({0, 3}));
  EXPECT_EQ(wide.values()[41], turned.values()[4 * 40 + 1]);
  cuda_->scatter(narrow.view().slice({0, 3}), rows, turned.view());
  EXPECT_EQ(turned.values()[7 * 40 + 5], narrow.values()[2 * 40 + 5]);
}

TEST_F(CudaBackendTest, GatherAndScatterManyLists) {
  const RandomTensor host(random_, 40, 6, 1);
  const DeviceTensor x = put(host.view());
  // More lists than stay on the device, some of them twice.
  for (int i = 0; i < 60; ++i) {
    const int a = i % 23;
    const DeviceTensor picked = put(host.view().slice({0, 2}));
    cuda_->gather(x.view(), Rows(std::vector<int>{a, a + 5}), picked.view());
    const auto found = picked.values();
    EXPECT_EQ(found[0], host.view().f32(a)[0]);
    EXPECT_EQ(found[11], host.view().f32(a + 5)[5]);
  }
  RandomTensor expected(host);
  const RandomTensor rows(random_, 3, 6, 2);
  cuda_->scatter(put(rows.view()).view(), Rows(std::vector<int>{1, 20, 39}), x.view());
  reference_->scatter(rows.view(), Rows(std::vector<int>{1, 20, 39}), expected.view());
  expect_close(x, expected.view(), 0);
  cuda_->gather(x.view(), Rows(), x.view().slice({0, 0}));
}

TEST_F(CudaBackendTest, RowsOfLogitsWithoutNumbersAreAnError) {
  const RandomTensor logits(random_, 2, 50);
  for (int c = 0; c < 50; ++c) logits.view().f32(1)[c] = std::nanf("");
  std::vector<TokenStats> stats(2);
  const DeviceTensor on_device = put(logits.view());
  EXPECT_THROW(cuda_->token_stats(on_device.view(), std::vector<int>{0, 1}, {}, stats), Error);
}

}  // namespace
}  // namespace unmask
