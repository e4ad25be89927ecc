// Matrices that differ in how they are kept, and rows of weights that lie apart.
#include <gtest/gtest.h>
#include <random>

#include "kernels/counting/backend.h"
#include "kernels/create_backend.h"
#include "support/isa.h"
#include "support/random_tensor.h"

namespace unmask {
namespace {

using testing::RandomTensor;

constexpr int kInputs = 37;
constexpr int kIn = 300;
constexpr int kOut = 70;

class WeightFormats : public ::testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Backend> cpu(WeightType weights) const {
    return testing::create_cpu_backend_on(GetParam(), {.threads = 2, .weights = weights});
  }
  std::vector<WeightType> types() const {
    return {WeightType::f32, WeightType::int8, WeightType::int4, WeightType::bf16};
  }
  /// The product of a matrix alone on a backend of one type.
  RandomTensor alone(WeightType type, const RandomTensor& x, const HostMatrix& w) {
    const auto backend = cpu(type);
    RandomTensor y(random_, kInputs, kOut);
    const auto packed = backend->pack(w);
    backend->linear(x.view(), {packed.get(), y.view()});
    return y;
  }

  std::mt19937 random_{13};
};

TEST_P(WeightFormats, MapsOfOneCallMayDifferAndEqualSingleOnes) {
  const RandomTensor x(random_, kInputs, kIn, 3);
  const auto backend = cpu(WeightType::f32);
  std::vector<RandomTensor> weights;
  std::vector<RandomTensor> out;
  std::vector<HostMatrix> matrices;
  weights.reserve(8);
  out.reserve(8);
  for (const WeightType type : types()) {
    for (int i = 0; i < 2; ++i) {
      weights.emplace_back(random_, kOut, kIn);
      out.emplace_back(random_, kInputs, kOut);
      matrices.push_back(weights.back().matrix());
      matrices.back().format = type;
    }
  }
  matrices[0].format.reset();  // as the backend keeps others: float32
  std::swap(matrices[1], matrices[4]);
  const auto packed = backend->pack_together(matrices);
  std::vector<LinearMap> maps;
  for (size_t i = 0; i < packed.size(); ++i) maps.push_back({packed[i].get(), out[i].view()});
  backend->linear(x.view(), maps);
  for (size_t i = 0; i < packed.size(); ++i) {
    const WeightType type = matrices[i].format.value_or(WeightType::f32);
    EXPECT_EQ(out[i].values(), alone(type, x, matrices[i]).values())
        << i << ": " << weight_type_name(type);
  }
  EXPECT_LT(packed[1]->bytes(), packed[0]->bytes());  // int4 against float32
}

TEST_P(WeightFormats, AGateOfAnotherFormatMeetsWhatItMultiplies) {
  const RandomTensor x(random_, kInputs, kIn);
  const RandomTensor gate(random_, kOut, kIn);
  const RandomTensor up(random_, kOut, kIn);
  const auto backend = cpu(WeightType::int8);
  HostMatrix wide = gate.matrix();
  wide.format = WeightType::f32;
  const auto first = backend->pack(wide);
  const auto second = backend->pack(up.matrix());
  const RandomTensor together(random_, kInputs, kOut);
  const RandomTensor apart(random_, kInputs, kOut);
  const LinearMap maps[] = {{first.get(), together.view()},
                            {second.get(), together.view(), {}, Into::gate}};
  backend->linear(x.view(), maps);
  backend->linear(x.view(), {first.get(), apart.view()});
  backend->linear(x.view(), {second.get(), apart.view(), {}, Into::gate});
  EXPECT_EQ(together.values(), apart.values());
}

TEST_P(WeightFormats, RowsThatLieApartEqualTheirDenseCopy) {
  const RandomTensor x(random_, kInputs, kIn);
  const RandomTensor apart(random_, kOut, kIn, 11);
  RandomTensor dense(random_, kOut, kIn);
  for (int r = 0; r < kOut; ++r) {
    std::copy_n(apart.view().f32(r), kIn, dense.view().f32(r));
  }
  for (const WeightType type : types()) {
    EXPECT_EQ(alone(type, x, apart.matrix()).values(), alone(type, x, dense.matrix()).values())
        << weight_type_name(type);
  }
  const std::vector<TokenId> tokens{69, 0, 33};
  for (const auto& backend : {cpu(WeightType::f32), create_reference_backend()}) {
    const RandomTensor a(random_, 3, kIn);
    const RandomTensor b(random_, 3, kIn);
    backend->embed(tokens, apart.matrix(), a.view());
    backend->embed(tokens, dense.matrix(), b.view());
    EXPECT_EQ(a.values(), b.values());
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, WeightFormats, ::testing::ValuesIn(testing::isa_levels()),
                         testing::isa_test_name);

TEST(WeightFormat, TheReferenceRefusesWhatItDoesNotCompute) {
  const std::vector<float> values(6);
  HostMatrix matrix{values.data(), DType::f32, 2, 3};
  matrix.format = WeightType::int8;
  EXPECT_THROW(create_reference_backend()->pack(matrix), Error);
  matrix.format = WeightType::f32;
  EXPECT_NO_THROW(create_reference_backend()->pack(matrix));
}

TEST(WeightFormat, AMatrixIsCountedInItsOwn) {
  const auto counting = create_counting_backend({.bytes_per_weight = 4});
  HostMatrix matrix{nullptr, DType::bf16, 64, 32};
  EXPECT_EQ(counting->pack(matrix)->bytes(), 64U * 32 * 4);
  matrix.format = WeightType::int4;
  EXPECT_EQ(counting->pack(matrix)->bytes(), 64U * 32 * 4.5 / 8);
}

}  // namespace
}  // namespace unmask
