// Matrices as files hold them, and what every backend makes of those in blocks.
#include "kernels/host_matrix.h"

#include <cmath>
#include <gtest/gtest.h>

#include "kernels/counting/backend.h"
#include "kernels/create_backend.h"
#include "kernels/random_blocks.h"
#include "support/isa.h"
#include "support/random_tensor.h"

namespace unmask {
namespace {

using testing::RandomBlocks;
using testing::RandomTensor;

TEST(HostMatrix, RowsOfInterleavedHeadsTakeTurns) {
  // Two heads of 6 rows: stored row 6 h + 2 i + q is row 6 h + 3 q + i.
  std::vector<float> stored(12);
  for (int h = 0; h < 2; ++h) {
    for (int q = 0; q < 2; ++q) {
      for (int i = 0; i < 3; ++i) {
        stored[static_cast<size_t>(6 * h + 2 * i + q)] = static_cast<float>(6 * h + 3 * q + i);
      }
    }
  }
  const HostMatrix matrix{.data = stored.data(), .out = 12, .in = 1, .interleaved = 6};
  for (int r = 0; r < 12; ++r) {
    float value = -1;
    matrix.widen_row(r, &value);
    EXPECT_EQ(value, static_cast<float>(r));
  }
}

TEST(HostMatrix, HeadsThatDoNotFillItAreABrokenPromise) {
  const std::vector<float> stored(9);
  for (const int head : {3, 6}) {
    const HostMatrix matrix{.data = stored.data(), .out = 9, .in = 1, .interleaved = head};
    EXPECT_THROW(matrix.row(0), LogicError) << head;
  }
}

TEST(HostMatrix, IsPlainWhereItsBytesAreItsRows) {
  const HostMatrix plain{.dtype = DType::bf16, .out = 4, .in = 32};
  EXPECT_TRUE(plain.is_plain(DType::bf16));
  EXPECT_FALSE(plain.is_plain(DType::f32));
  HostMatrix other = plain;
  other.interleaved = 2;
  EXPECT_FALSE(other.is_plain(DType::bf16));
  other = plain;
  other.stride = 40;
  EXPECT_FALSE(other.is_plain(DType::bf16));
  other = plain;
  other.blocks = BlockFormat::q8_0;
  EXPECT_FALSE(other.is_plain(DType::bf16));
}

TEST(HostMatrix, RowsOfBlocksAreTheirValues) {
  std::mt19937 random(1);
  for (const BlockFormat format : testing::block_formats()) {
    SCOPED_TRACE(testing::test_name(format));
    const RandomBlocks blocks(random, format, 7, 512);
    const std::vector<float> values = blocks.values();
    HostMatrix half = blocks.matrix();  // the second half of every row
    half.in = 256;
    half.stride = 512;
    half.data = half.row(0) + block_bytes(format, 256);
    for (int r = 0; r < 7; ++r) {
      std::vector<float> row(512);
      std::vector<uint16_t> narrow(512);
      blocks.matrix().widen_row(r, row.data());
      blocks.matrix().narrow_row(r, narrow.data());
      for (size_t i = 0; i < 512; ++i) {
        ASSERT_EQ(row[i], values[static_cast<size_t>(r) * 512 + i]);
        ASSERT_EQ(narrow[i], f32_to_bf16(row[i]));
      }
      std::vector<float> part(256);
      half.widen_row(r, part.data());
      ASSERT_TRUE(std::equal(part.begin(), part.end(), row.begin() + 256));
    }
  }
}

class BlockMatrices : public ::testing::TestWithParam<std::string> {
 protected:
  std::vector<std::unique_ptr<Backend>> backends() const {
    std::vector<std::unique_ptr<Backend>> all;
    all.push_back(create_reference_backend());
    all.push_back(testing::create_cpu_backend_on(GetParam(), {.threads = 2}));
    return all;
  }
  std::mt19937 random_{2};
};

TEST_P(BlockMatrices, AreEmbeddedByTheirValues) {
  const std::vector<TokenId> tokens{8, 0, 5, 8};
  for (const BlockFormat format : testing::block_formats()) {
    SCOPED_TRACE(testing::test_name(format));
    const RandomBlocks table(random_, format, 9, 256);
    const std::vector<float> values = table.values();
    for (const auto& backend : backends()) {
      const RandomTensor out(random_, 4, 256, 3);
      backend->embed(tokens, table.matrix(), out.view());
      for (int r = 0; r < 4; ++r) {
        const auto row = static_cast<size_t>(tokens[static_cast<size_t>(r)]) * 256;
        ASSERT_TRUE(std::equal(out.view().f32(r), out.view().f32(r) + 256, values.begin() + row));
      }
      EXPECT_THROW(
          backend->embed(std::vector<TokenId>{9}, table.matrix(), out.view().slice({0, 1})), Error);
    }
  }
}

/// In every type that all files can be kept in, blocks are their values, packed as any others.
TEST_P(BlockMatrices, PackedInATypeEqualTheirValuesPackedInIt) {
  const RandomTensor x(random_, 5, 256);
  for (const BlockFormat format : testing::block_formats()) {
    SCOPED_TRACE(testing::test_name(format));
    const RandomBlocks blocks(random_, format, 70, 256);
    const std::vector<float> values = blocks.values();
    for (const WeightType type : kWeightTypes) {
      const auto backend = testing::create_cpu_backend_on(GetParam(), {.weights = type});
      const RandomTensor a(random_, 5, 70);
      const RandomTensor b(random_, 5, 70);
      const auto from_blocks = backend->pack(blocks.matrix());
      const auto from_values = backend->pack({values.data(), DType::f32, 70, 256});
      backend->linear(x.view(), {from_blocks.get(), a.view()});
      backend->linear(x.view(), {from_values.get(), b.view()});
      EXPECT_EQ(a.values(), b.values()) << weight_type_name(type);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, BlockMatrices, ::testing::ValuesIn(testing::isa_levels()),
                         testing::isa_test_name);

TEST(StoredWeights, OfFloatsLoseNothing) {
  std::mt19937 random(4);
  const RandomTensor values(random, 33, 64);
  const RandomTensor x(random, 3, 64);
  std::vector<uint16_t> narrow(values.values().size());
  to_bf16(values.values().data(), DType::f32, narrow.size(), narrow.data());
  std::vector<uint16_t> half(narrow.size());
  for (size_t i = 0; i < half.size(); ++i) half[i] = f32_to_f16(values.values()[i]);
  const auto stored = create_cpu_backend({.weights = WeightType::stored});
  for (const HostMatrix& matrix : {values.matrix(), HostMatrix{narrow.data(), DType::bf16, 33, 64},
                                   HostMatrix{half.data(), DType::f16, 33, 64}}) {
    const WeightType type = exact_type(matrix.dtype);
    EXPECT_EQ(type, matrix.dtype == DType::bf16 ? WeightType::bf16 : WeightType::f32);
    EXPECT_EQ(stored_bits(matrix), bits_per_weight(type));
    const RandomTensor a(random, 3, 33);
    const RandomTensor b(random, 3, 33);
    stored->linear(x.view(), {stored->pack(matrix).get(), a.view()});
    const auto alone = create_cpu_backend({.weights = type});
    alone->linear(x.view(), {alone->pack(matrix).get(), b.view()});
    EXPECT_EQ(a.values(), b.values());
  }
}

TEST(StoredWeights, AreAsLargeAsTheFileSays) {
  EXPECT_THROW(bits_per_weight(WeightType::stored), LogicError);
  const auto counting = create_counting_backend({.bytes_per_weight = 4});
  HostMatrix matrix{nullptr, DType::f16, 64, 256};
  matrix.format = WeightType::stored;
  EXPECT_EQ(counting->pack(matrix)->bytes(), 64U * 256 * 4);
  matrix.blocks = BlockFormat::q4_k;
  const double bits = stored_bits(matrix);
  EXPECT_EQ(static_cast<double>(counting->pack(matrix)->bytes()), 64 * 256 * bits / 8);
}

}  // namespace
}  // namespace unmask
