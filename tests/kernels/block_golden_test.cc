// Block importance and selection of the released SparseD code, and block-sparse attention, on given
// queries and keys.
#include <cmath>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "kernels/select.h"
#include "support/golden.h"
#include "support/model_fixture.h"
#include "support/tensors.h"

namespace unmask {
namespace {

const golden::Claim kClaimSelect([](const golden::Case& c) { return c.kind() == "unit-select"; });
const golden::Claim kClaimAttention([](const golden::Case& c) { return c.kind() == "unit-attn"; });

struct CaseShape {
  HeadShape heads;
  int length;

  explicit CaseShape(const nlohmann::json& json)
      : heads{json["heads"], json["heads"], json["head_dim"]}, length(json["seq_len"]) {}
  int width() const { return heads.n_heads * heads.head_dim; }
};

/// [heads, length, head_dim] of the golden data as [length, heads * head_dim].
class HeadsBeside {
 public:
  HeadsBeside(const CaseShape& shape, const std::vector<float>& apart)
      : shape_(shape),
        values_(static_cast<size_t>(shape.length) * static_cast<size_t>(shape.width())) {
    for (size_t i = 0; i < std::min(values_.size(), apart.size()); ++i) {
      *at(static_cast<int>(i)) = apart[i];
    }
  }
  /// Element `i` in the order of the golden data.
  float* at(int i) {
    const int dim = shape_.heads.head_dim;
    const int head = i / (shape_.length * dim);
    const int row = i / dim % shape_.length;
    return values_.data() + row * shape_.width() + head * dim + i % dim;
  }
  Tensor view() {
    return {values_.data(), DType::f32, shape_.length, shape_.width(), shape_.width()};
  }

 private:
  CaseShape shape_;
  std::vector<float> values_;
};

/// A mask [heads, blocks, blocks] as lists.
BlockPattern pattern_of(const std::vector<uint8_t>& mask, int n_heads, int length, int block) {
  const int n = (length + block - 1) / block;
  BlockPattern pattern(block, n_heads, n);
  for (int row = 0; row < n_heads * n; ++row) {
    std::vector<uint16_t> list;
    for (int b = 0; b < n; ++b) {
      const size_t at = static_cast<size_t>(row) * static_cast<size_t>(n) + static_cast<size_t>(b);
      if (mask[at] != 0) list.push_back(static_cast<uint16_t>(b));
    }
    pattern.append(list);
  }
  return pattern;
}

void expect_importance(const std::vector<float>& measured, const std::vector<float>& expected) {
  ASSERT_EQ(measured.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(measured[i], expected[i], 1e-9 + 5e-5 * expected[i]) << i;
  }
}

using Parameters = std::tuple<golden::Case, std::string>;

std::string golden_case_name(const ::testing::TestParamInfo<Parameters>& info) {
  return golden::test_name({std::get<0>(info.param), info.index}) + "_" + std::get<1>(info.param);
}

class GoldenSelect : public ::testing::TestWithParam<Parameters> {};

TEST_P(GoldenSelect, ImportanceAndMasksEqualTheReleasedCode) {
  const auto& [c, backend_name] = GetParam();
  const auto backend = testing::make_backend(backend_name);
  const CaseShape shape(c.json["shape"]);
  const SafetensorsFile file(c.directory() / "tensors.safetensors");
  HeadsBeside q(shape, testing::values<float>(file.at("q")));
  HeadsBeside k(shape, testing::values<float>(file.at("k")));
  HeadsBeside out(shape, {});
  for (size_t i = 0; i < c.json["selections"].size(); ++i) {
    const auto& selection = c.json["selections"][i];
    BlockImportance importance;
    importance.block_size = selection["block_size"];
    importance.scale = selection["selection_scale"];
    importance.first_generation_block = selection["last"];
    const AttentionTask task{
        .q = q.view(), .kv = {k.view(), k.view()}, .out = out.view(), .importance = &importance};
    backend->attention(std::span(&task, 1), shape.heads);
    expect_importance(importance.all,
                      testing::values<float>(file.at(fmt::format("importance_all.{}", i))));
    expect_importance(importance.generation,
                      testing::values<float>(file.at(fmt::format("importance_gen.{}", i))));
    const auto mask = testing::values<uint8_t>(file.at(selection["block_mask"].get<std::string>()));
    EXPECT_EQ(select_blocks(importance, {.select = selection["select"]}),
              pattern_of(mask, shape.heads.n_heads, shape.length, importance.block_size))
        << "selection " << i;
  }
}

class GoldenBlockAttention : public ::testing::TestWithParam<Parameters> {};

TEST_P(GoldenBlockAttention, EqualsTheDefinition) {
  const auto& [c, backend_name] = GetParam();
  const auto backend = testing::make_backend(backend_name);
  const CaseShape shape(c.json["shape"]);
  const SafetensorsFile file(c.directory() / "tensors.safetensors");
  HeadsBeside q(shape, testing::values<float>(file.at("q")));
  HeadsBeside k(shape, testing::values<float>(file.at("k")));
  HeadsBeside v(shape, testing::values<float>(file.at("v")));
  HeadsBeside out(shape, {});
  const BlockPattern pattern =
      pattern_of(testing::values<uint8_t>(file.at("block_mask")), shape.heads.n_heads, shape.length,
                 c.json["shape"]["block_size"]);
  const Rows positions(Range{0, shape.length});
  const AttentionTask task{.q = q.view(),
                           .kv = {k.view(), v.view()},
                           .out = out.view(),
                           .pattern = &pattern,
                           .positions = {&*positions.begin(), static_cast<size_t>(shape.length)}};
  backend->attention(std::span(&task, 1), shape.heads);
  const auto expected = testing::values<float>(file.at("out"));
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(*out.at(static_cast<int>(i)), expected[i], c.json["tolerance"]["out_abs"]) << i;
  }
  EXPECT_NEAR(pattern.density(), c.json["kept_fraction"], 1e-9);
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenSelect);
INSTANTIATE_TEST_SUITE_P(Cases, GoldenSelect,
                         ::testing::Combine(::testing::ValuesIn(kClaimSelect.cases()),
                                            ::testing::Values("reference", "cpu")),
                         golden_case_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenBlockAttention);
INSTANTIATE_TEST_SUITE_P(Cases, GoldenBlockAttention,
                         ::testing::Combine(::testing::ValuesIn(kClaimAttention.cases()),
                                            ::testing::Values("reference", "cpu")),
                         golden_case_name);

}  // namespace
}  // namespace unmask
