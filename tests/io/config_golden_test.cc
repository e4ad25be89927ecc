// Published configurations, and what a loader must derive from them.
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/containers/checkpoint.h"
#include "io/model_config.h"
#include "model/families.h"
#include "support/golden.h"

namespace unmask::golden {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const Claim kConfigs([](const Case& c) { return c.kind() == "model-configs"; });

class GoldenConfig : public ::testing::TestWithParam<Case> {};

bool is_supported(const std::string& arch) {
  return arch == "llada" || arch == "dream" || arch.starts_with("sdar");
}

/// Where the expectation has the key.
template <typename T>
void compare(const json& expected, const char* key, T found) {
  if (!expected.contains(key)) return;
  EXPECT_EQ(found, expected[key].get<T>()) << key;
}

void expect_equal(const ModelConfig& model, const json& expected) {
  EXPECT_EQ(model.n_layers, expected["n_layers"].get<int>());
  EXPECT_EQ(model.dim, expected["d_model"].get<int>());
  EXPECT_EQ(model.n_heads, expected["n_heads"].get<int>());
  EXPECT_EQ(model.n_kv_heads, expected["n_kv_heads"].get<int>());
  EXPECT_EQ(model.head_dim, expected["head_dim"].get<int>());
  EXPECT_EQ(model.ffn_dim, expected["ffn"].get<int>());
  EXPECT_EQ(model.vocab_size, expected["vocab_rows"].get<int>());
  EXPECT_EQ(model.max_positions, expected["max_seq"].get<int>());
  EXPECT_EQ(model.rope_theta, expected["rope_theta"].get<float>());
  EXPECT_EQ(model.norm_eps, expected["rms_eps"].get<float>());
  EXPECT_EQ(model.tied_head, expected["tied"].get<bool>());
  EXPECT_EQ(model.qkv_bias, expected["qkv_bias"].get<bool>());
  EXPECT_EQ(model.mask_id, expected["mask_id"].get<TokenId>());
  compare(expected, "eos_id", model.eos_id);
  compare(expected, "pad_id", model.pad_id);
  compare(expected, "bos_id", model.bos_id.value_or(-1));
  compare(expected, "bos_id_config", model.bos_id.value_or(-1));
  compare(expected, "shift_logits", model.logit_shift > 0);
}

int64_t parameters(const ModelConfig& model) {
  int64_t total = 0;
  for (const TensorSpec& spec : tensor_specs(model)) {
    int64_t product = 1;
    for (const int64_t size : spec.shape) product *= size;
    total += product;
  }
  return total;
}

TEST_P(GoldenConfig, PublishedConfigsGiveTheExpectedModel) {
  for (const auto& [name, expected] : GetParam().json.items()) {
    if (!expected.is_object()) continue;
    SCOPED_TRACE(name);
    const fs::path directory = GetParam().directory() / name;
    if (!is_supported(expected["arch"])) {
      try {
        load_model_config(directory);
        ADD_FAILURE() << "loaded";
      } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("is not supported"), std::string::npos);
      }
      continue;
    }
    const ModelConfig model = load_model_config(directory);
    expect_equal(model, expected);
    compare(expected, "tensors", tensor_specs(model).size());
    compare(expected, "parameters", parameters(model));
  }
}

TEST_P(GoldenConfig, TensorNamesAndShapesAreThePublishedOnes) {
  std::ifstream in(GetParam().directory() / "shapes.json");
  const json shapes = json::parse(in);
  for (const auto& [name, expected] : GetParam().json.items()) {
    if (!expected.is_object() || !is_supported(expected["arch"])) continue;
    SCOPED_TRACE(name);
    json found = json::object();
    for (const TensorSpec& spec : tensor_specs(load_model_config(GetParam().directory() / name))) {
      found[spec.name] = spec.shape;
    }
    const auto arch = expected["arch"].get<std::string>();
    if (!shapes.contains(arch)) continue;
    EXPECT_EQ(found, shapes.at(arch));
  }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenConfig);
INSTANTIATE_TEST_SUITE_P(Sets, GoldenConfig, ::testing::ValuesIn(kConfigs.cases()), test_name);

TEST(GoldenConfigCheckpoints, TinyModelsHoldExactlyTheirTensors) {
  for (const char* name : {"llada-tiny", "llada-hd128", "dream-tiny", "dream-tiny-bf16-sharded"}) {
    SCOPED_TRACE(name);
    const fs::path directory = find_folder(name, "config.json");
    const ModelConfig model = load_model_config(directory);
    const Checkpoint checkpoint(directory);
    check_checkpoint(checkpoint, model);
    EXPECT_EQ(checkpoint.names().size(), tensor_specs(model).size());
  }
}

}  // namespace
}  // namespace unmask::golden
