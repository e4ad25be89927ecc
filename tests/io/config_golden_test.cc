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

bool is_supported(const std::string& arch) { return arch == "llada" || arch == "dream"; }

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
  EXPECT_EQ(model.eos_id, expected["eos_id"].get<TokenId>());
  EXPECT_EQ(model.pad_id, expected["pad_id"].get<TokenId>());
  const char* bos = expected.contains("bos_id") ? "bos_id" : "bos_id_config";
  EXPECT_EQ(model.bos_id, expected[bos].get<TokenId>());
  EXPECT_EQ(model.logit_shift, expected["shift_logits"].get<bool>() ? 1 : 0);
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
    EXPECT_EQ(tensor_specs(model).size(), expected["tensors"].get<size_t>());
    EXPECT_EQ(parameters(model), expected["parameters"].get<int64_t>());
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
    EXPECT_EQ(found, shapes.at(expected["arch"].get<std::string>()));
  }
}

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
