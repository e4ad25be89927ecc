// Blocks of GGUF files against what ggml makes of them, bit by bit.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/block_format.h"
#include "core/dtype.h"
#include "support/golden.h"
#include "support/tensors.h"

namespace unmask {
namespace {

const golden::Claim kBlockFormatClaim([](const golden::Case& c) {
  return c.kind() == "gguf-quants";
});

/// The values of `raw`, one block format or F16 or BF16 after the other.
std::vector<float> decode(const std::string& type, const StoredTensor& raw, size_t n) {
  std::vector<float> values(n);
  if (type == "F16" || type == "BF16") {
    to_f32(raw.bytes.data(), type == "F16" ? DType::f16 : DType::bf16, n, values.data());
    return values;
  }
  const BlockFormat format = find_block_format(type).value();
  EXPECT_EQ(block_bytes(format, n), raw.bytes.size());
  // Files promise no alignment.
  std::vector<std::byte> shifted(raw.bytes.size() + 1);
  std::copy(raw.bytes.begin(), raw.bytes.end(), shifted.begin() + 1);
  dequantize(format, shifted.data() + 1, n, values.data());
  return values;
}

void expect_bits(const std::vector<float>& found, const std::vector<float>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    if (std::isnan(expected[i]) && std::isnan(found[i])) continue;
    ASSERT_EQ(std::bit_cast<uint32_t>(found[i]), std::bit_cast<uint32_t>(expected[i]))
        << i << ": " << found[i] << ", expected " << expected[i];
  }
}

class GoldenBlockFormat : public ::testing::TestWithParam<golden::Case> {};

TEST_P(GoldenBlockFormat, ValuesEqualGgml) {
  const golden::Case& c = GetParam();
  for (const auto& one : c.json["cases"]) {
    const auto type = one["type"].get<std::string>();
    SCOPED_TRACE(type);
    if (const auto format = find_block_format(type)) {
      EXPECT_EQ(block_traits(*format).elements, one["block_elements"]);
      EXPECT_EQ(block_traits(*format).bytes, one["block_bytes"]);
    }
    const SafetensorsFile file(c.directory() / one["file"].get<std::string>());
    for (const std::string part : {"", "rand_"}) {
      const auto expected = testing::values<float>(file.at(part + "f32"));
      expect_bits(decode(type, file.at(part + "raw"), expected.size()), expected);
    }
  }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenBlockFormat);
INSTANTIATE_TEST_SUITE_P(Cases, GoldenBlockFormat, ::testing::ValuesIn(kBlockFormatClaim.cases()),
                         golden::test_name);

}  // namespace
}  // namespace unmask
