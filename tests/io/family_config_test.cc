// What the configurations of the newer families say, and what they leave to their published code.
#include "io/family_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "bench/model_shapes.h"
#include "core/error.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;

ModelConfig load(const ordered_json& config, const ModelOverrides& overrides = {}) {
  const testing::TempDir dir;
  dir.write("config.json", config.dump());
  return load_model_config(dir.path(), overrides);
}

std::string reason_for(const ordered_json& config, const ModelOverrides& overrides = {}) {
  try {
    load(config, overrides);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

ordered_json with_key(ordered_json config, const char* key, const ordered_json& value) {
  config[key] = value;
  return config;
}

ordered_json without_key(ordered_json config, const char* key) {
  config.erase(key);
  return config;
}

const ordered_json kLlada2 = model_shape("llada2-mini").config;
const ordered_json kMoe = model_shape("llada-moe-7b").config;
const ordered_json kSdar = model_shape("sdar-1.7b").config;
const ordered_json kA2d = model_shape("qwen3-0.6b").config;
const ordered_json kFastDllm = model_shape("fast-dllm-v2-1.5b").config;

TEST(FamilyConfig, Llada2HasExpertsBehindADenseLayerAndHalfRotatedHeads) {
  const ModelConfig m = load(kLlada2);
  EXPECT_EQ(m.family, Family::llada2);
  EXPECT_EQ(m.head_dim, 128);
  EXPECT_EQ(m.rotary_dim, 64);
  EXPECT_TRUE(m.qk_norm);
  EXPECT_EQ(m.visibility, Visibility::block_causal(32));
  EXPECT_FALSE(m.moe.at(0));
  EXPECT_TRUE(m.moe.at(1));
  EXPECT_EQ(m.moe.groups, 8);
  EXPECT_EQ(m.moe.groups_kept, 4);
  EXPECT_EQ(m.moe.shared_width, 512);
  EXPECT_FLOAT_EQ(m.moe.scale, 2.5F);
  EXPECT_EQ(m.eos_id, 156892);  // its padding: the file has no end token
  EXPECT_THAT(reason_for(with_key(kLlada2, "score_function", "softmax")),
              HasSubstr("score_function"));
  EXPECT_THAT(reason_for(with_key(kLlada2, "n_group", 7)), HasSubstr("n_group"));
  EXPECT_THAT(reason_for(with_key(kLlada2, "num_experts_per_tok", 200)),
              HasSubstr("num_experts_per_tok"));
  EXPECT_THAT(reason_for(with_key(kLlada2, "partial_rotary_factor", 0.01)),
              HasSubstr("partial_rotary_factor"));
  EXPECT_THAT(reason_for(with_key(kLlada2, "use_qkv_bias", true)), HasSubstr("use_qkv_bias"));
}

TEST(FamilyConfig, LladaMoeIsNotLladaAndRefusesOtherRouters) {
  const ModelConfig m = load(kMoe);
  EXPECT_EQ(m.family, Family::llada_moe);
  EXPECT_EQ(m.moe.top_k, 8);
  EXPECT_FALSE(m.moe.normalized);
  EXPECT_TRUE(m.moe.at(15));
  EXPECT_THAT(reason_for(with_key(kMoe, "moe_router_score_function", "sigmoid")),
              HasSubstr("moe_router_score_function"));
  EXPECT_THAT(reason_for(with_key(kMoe, "shared_expert_intermediate_size", 64)),
              HasSubstr("shared_expert_intermediate_size"));
  EXPECT_THAT(reason_for(with_key(kMoe, "router_num_group", 4)), HasSubstr("router_num_group"));
}

TEST(FamilyConfig, SdarTakesItsBlockFromTheFileOrFour) {
  EXPECT_EQ(load(kSdar).visibility.block, 4);
  EXPECT_EQ(load(with_key(kSdar, "block_size", 16)).visibility.block, 16);
  EXPECT_EQ(load(without_key(kSdar, "block_size")).visibility.block, 4);
  EXPECT_EQ(load(kSdar, {.block = 8}).visibility.block, 8);
}

TEST(FamilyConfig, A2dAndFastDllmDifferInBiasesNormsAndShift) {
  const ModelConfig a2d = load(kA2d);
  EXPECT_TRUE(a2d.qk_norm);
  EXPECT_FALSE(a2d.qkv_bias);
  EXPECT_EQ(a2d.logit_shift, 0);
  EXPECT_FALSE(a2d.visibility.is_block_causal());
  const ModelConfig blocks = load(kA2d, {.block = 32});
  EXPECT_TRUE(blocks.visibility.from_prompt);
  const ModelConfig fast = load(kFastDllm);
  EXPECT_TRUE(fast.qkv_bias);
  EXPECT_FALSE(fast.qk_norm);
  EXPECT_EQ(fast.logit_shift, 1);
  EXPECT_EQ(load(kFastDllm, {.shift_logits = false}).logit_shift, 0);
}

TEST(FamilyConfig, TheMaskIsNamedByTheFirstWhoKnows) {
  const auto mask = [](const ordered_json& config, const ModelOverrides& overrides = {}) {
    const ModelConfig m = load(config, overrides);
    return std::pair(m.mask_id, std::string(m.mask_source));
  };
  const ordered_json silent = without_key(kLlada2, "mask_token_id");
  EXPECT_EQ(mask(silent, {.mask_id = 7}), std::pair(7, std::string("option")));
  EXPECT_EQ(mask(with_key(kLlada2, "mask_token_id", 9)),
            std::pair(9, std::string("configuration")));
  EXPECT_EQ(mask(silent), std::pair(156895, std::string("family")));
  const std::string small = reason_for(with_key(silent, "vocab_size", 512), {.eos_id = 3});
  EXPECT_THAT(small, HasSubstr("156895"));
  EXPECT_THAT(reason_for(silent, {.mask_id = 1 << 20}), HasSubstr("mask id: found 1048576"));
}

TEST(FamilyConfig, AFamilyCanBeNamedForFilesOfAnotherProgram) {
  ordered_json qwen = kFastDllm;
  qwen["model_type"] = "qwen2";
  qwen["architectures"] = {"Qwen2ForCausalLM"};
  EXPECT_THAT(reason_for(qwen), HasSubstr("is not supported"));
  EXPECT_EQ(load(qwen, {.family = "open-dcoder"}).family, Family::open_dcoder);
  EXPECT_THAT(reason_for(qwen, {.family = "gpt"}), HasSubstr("fast-dllm-v2"));
  for (const std::string& name : family_options()) EXPECT_NO_THROW(parse_family(name));
}

TEST(Visibility, BlocksMayBeCountedFromThePromptsEnd) {
  const Visibility blocks{.block = 8, .from_prompt = true};
  const Visibility of = blocks.of(13);  // blocks end at 5, 13, 21
  EXPECT_EQ(of.end(0, 100), 5);
  EXPECT_EQ(of.end(5, 100), 13);
  EXPECT_EQ(of.end(13, 100), 21);
  EXPECT_EQ(blocks.of(16).end(0, 100), 8);
  EXPECT_EQ(Visibility::block_causal(8).of(13).end(13, 100), 16);
}

}  // namespace
}  // namespace unmask
