#include "io/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"
#include "io/text/byte_alphabet.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TempDir;

json llada_json() {
  return json::parse(R"({
    "architectures": ["LLaDAModelLM"], "model_type": "llada", "activation_type": "silu",
    "alibi": false, "attention_layer_norm": false, "bias_for_layer_norm": false,
    "block_group_size": 1, "block_type": "llama", "d_model": 96, "embedding_size": 512,
    "eos_token_id": 498, "include_bias": false, "include_qkv_bias": false,
    "input_emb_norm": false, "layer_norm_type": "rms", "layer_norm_with_affine": true,
    "mask_token_id": 500, "max_sequence_length": 1024, "mlp_hidden_size": 320,
    "multi_query_attention": null, "n_heads": 6, "n_kv_heads": 3, "n_layers": 4,
    "pad_token_id": 499, "rms_norm_eps": 1e-5, "rope": true, "rope_full_precision": true,
    "rope_theta": 500000.0, "scale_logits": false, "vocab_size": 510, "weight_tying": false})");
}

json dream_json() {
  return json::parse(R"({
    "architectures": ["DreamModel"], "model_type": "Dream", "eos_token_id": 496,
    "bos_token_id": 495, "hidden_act": "silu", "hidden_size": 128, "intermediate_size": 320,
    "mask_token_id": 501, "max_position_embeddings": 2048, "num_attention_heads": 4,
    "num_hidden_layers": 4, "num_key_value_heads": 2, "pad_token_id": 496, "rms_norm_eps": 1e-6,
    "rope_scaling": null, "rope_theta": 1000000, "tie_word_embeddings": false,
    "use_mrope": false, "use_sliding_window": false, "vocab_size": 512})");
}

ModelConfig load(const json& config, const json& generation = nullptr) {
  const TempDir dir;
  dir.write("config.json", config.dump());
  if (!generation.is_null()) dir.write("generation_config.json", generation.dump());
  return load_model_config(dir.path());
}

std::string reason_for(const json& config, const json& generation = nullptr) {
  try {
    load(config, generation);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

json with(json config, const std::string& key, const json& value) {
  config[key] = value;
  return config;
}

json without(json config, const std::string& key) {
  config.erase(key);
  return config;
}

TEST(ModelConfig, ReadsLlada) {
  const ModelConfig model = load(llada_json());
  EXPECT_EQ(model.family, Family::llada);
  EXPECT_EQ(model.vocab_size, 512);  // rows of the embedding, not vocab_size
  EXPECT_EQ(model.dim, 96);
  EXPECT_EQ(model.n_layers, 4);
  EXPECT_EQ(model.n_heads, 6);
  EXPECT_EQ(model.n_kv_heads, 3);
  EXPECT_EQ(model.head_dim, 16);
  EXPECT_EQ(model.ffn_dim, 320);
  EXPECT_EQ(model.max_positions, 1024);
  EXPECT_EQ(model.rope_theta, 500000.0F);
  EXPECT_EQ(model.norm_eps, 1e-5F);
  EXPECT_FALSE(model.qkv_bias);
  EXPECT_FALSE(model.tied_head);
  EXPECT_EQ(model.logit_shift, 0);
  EXPECT_EQ(model.mask_id, 500);
  EXPECT_EQ(model.eos_id, 498);
  EXPECT_EQ(model.pad_id, 499);
  EXPECT_FALSE(model.bos_id.has_value());
  EXPECT_THAT(model.stop_ids, ElementsAre(498));
  EXPECT_FALSE(model.generation.steps.has_value());
}

TEST(ModelConfig, ReadsDream) {
  const ModelConfig model = load(dream_json(), {{"alg", "entropy"},
                                                {"steps", 512},
                                                {"temperature", 0.2},
                                                {"top_p", 0.95},
                                                {"top_k", nullptr},
                                                {"eps", 0.001},
                                                {"mask_token_id", nullptr}});
  EXPECT_EQ(model.family, Family::dream);
  EXPECT_EQ(model.head_dim, 32);
  EXPECT_EQ(model.n_kv_heads, 2);
  EXPECT_TRUE(model.qkv_bias);
  EXPECT_EQ(model.logit_shift, 1);
  EXPECT_EQ(model.bos_id, 495);
  EXPECT_EQ(model.generation.alg, "entropy");
  EXPECT_EQ(model.generation.steps, 512);
  EXPECT_EQ(model.generation.temperature, 0.2F);
  EXPECT_EQ(model.generation.top_p, 0.95F);
  EXPECT_EQ(model.generation.top_k, std::nullopt);
  EXPECT_EQ(model.generation.eps, 0.001F);
}

TEST(ModelConfig, KeyValueHeadsFollowTheFallbacksOfTheReference) {
  const json none = without(llada_json(), "n_kv_heads");
  EXPECT_EQ(load(none).n_kv_heads, 6);
  EXPECT_EQ(load(with(none, "multi_query_attention", true)).n_kv_heads, 1);
  EXPECT_EQ(load(with(none, "multi_query_attention", false)).n_kv_heads, 6);
  EXPECT_THAT(reason_for(with(llada_json(), "multi_query_attention", true)),
              HasSubstr("n_kv_heads is not 1"));
}

TEST(ModelConfig, EmbeddingRowsDefaultToTheVocabularyOnlyWhenTheFileSaysSo) {
  EXPECT_EQ(load(with(llada_json(), "embedding_size", nullptr)).vocab_size, 510);
  EXPECT_THAT(reason_for(without(llada_json(), "embedding_size")), HasSubstr("'embedding_size'"));
  EXPECT_THAT(reason_for(with(llada_json(), "embedding_size", 509)), HasSubstr("less than"));
}

TEST(ModelConfig, EveryKeyThatMattersMustBeThere) {
  for (const char* key : {"activation_type",
                          "alibi",
                          "attention_layer_norm",
                          "bias_for_layer_norm",
                          "block_group_size",
                          "block_type",
                          "d_model",
                          "eos_token_id",
                          "include_bias",
                          "include_qkv_bias",
                          "input_emb_norm",
                          "layer_norm_type",
                          "layer_norm_with_affine",
                          "mask_token_id",
                          "max_sequence_length",
                          "mlp_hidden_size",
                          "n_heads",
                          "n_layers",
                          "rms_norm_eps",
                          "rope",
                          "rope_full_precision",
                          "rope_theta",
                          "scale_logits",
                          "vocab_size",
                          "weight_tying"}) {
    EXPECT_THAT(reason_for(without(llada_json(), key)),
                AllOf(HasSubstr("config.json"), HasSubstr(fmt::format("'{}' is missing", key))));
  }
  for (const char* key :
       {"hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
        "intermediate_size", "vocab_size", "hidden_act", "max_position_embeddings",
        "tie_word_embeddings", "rope_theta", "rms_norm_eps", "mask_token_id", "eos_token_id"}) {
    EXPECT_THAT(reason_for(without(dream_json(), key)),
                HasSubstr(fmt::format("'{}' is missing", key)));
  }
}

TEST(ModelConfig, RefusesWhatIsNotImplementedByName) {
  const std::vector<std::pair<const char*, json>> llada{{"block_type", "sequential"},
                                                        {"layer_norm_type", "gemma_rms"},
                                                        {"alibi", true},
                                                        {"attention_layer_norm", true},
                                                        {"input_emb_norm", true},
                                                        {"scale_logits", true},
                                                        {"block_group_size", 2},
                                                        {"include_bias", true},
                                                        {"include_qkv_bias", true},
                                                        {"bias_for_layer_norm", true},
                                                        {"activation_type", "swiglu"},
                                                        {"rope", false},
                                                        {"layer_norm_with_affine", false}};
  for (const auto& [key, value] : llada) {
    EXPECT_THAT(reason_for(with(llada_json(), key, value)),
                AllOf(HasSubstr(fmt::format("'{}'", key)), HasSubstr("implemented")));
  }
  const std::vector<std::pair<const char*, json>> dream{{"rope_scaling", {{"type", "longrope"}}},
                                                        {"use_sliding_window", true},
                                                        {"use_mrope", true},
                                                        {"hidden_act", "gelu"}};
  for (const auto& [key, value] : dream) {
    EXPECT_THAT(reason_for(with(dream_json(), key, value)),
                AllOf(HasSubstr(fmt::format("'{}'", key)), HasSubstr("implemented")));
  }
}

TEST(ModelConfig, AcceptsBothRotationPrecisionsAndATiedHead) {
  EXPECT_EQ(reason_for(with(llada_json(), "rope_full_precision", false)), "");
  EXPECT_TRUE(load(with(llada_json(), "weight_tying", true)).tied_head);
  EXPECT_TRUE(load(with(dream_json(), "tie_word_embeddings", true)).tied_head);
}

TEST(ModelConfig, RefusesImpossibleValues) {
  const std::vector<std::pair<const char*, json>> wrong{{"d_model", 0},
                                                        {"d_model", -96},
                                                        {"d_model", 96.0},
                                                        {"d_model", "96"},
                                                        {"d_model", 4294967392},
                                                        {"d_model", 18446744073709551615U},
                                                        {"n_layers", 1000000},
                                                        {"n_heads", 5},
                                                        {"n_heads", 96},
                                                        {"n_kv_heads", 4},
                                                        {"n_kv_heads", 0},
                                                        {"rms_norm_eps", 0},
                                                        {"rms_norm_eps", -1e-5},
                                                        {"rms_norm_eps", 1e-60},
                                                        {"rope_theta", 1e60},
                                                        {"rope_theta", "500000"},
                                                        {"mask_token_id", 512},
                                                        {"mask_token_id", -1},
                                                        {"mask_token_id", 500.5},
                                                        {"eos_token_id", 512},
                                                        {"pad_token_id", 512},
                                                        {"pad_token_id", true},
                                                        {"weight_tying", 0},
                                                        {"vocab_size", 2000000000},
                                                        {"architectures", "LLaDAModelLM"},
                                                        {"model_type", 3}};
  for (const auto& [key, value] : wrong) {
    const std::string reason = reason_for(with(llada_json(), key, value));
    EXPECT_THAT(reason, HasSubstr("config.json")) << key << " = " << value;
    EXPECT_EQ(reason.find('\n'), std::string::npos);
  }
}

TEST(ModelConfig, UnknownFamiliesAreNamedWithTheSupportedOnes) {
  EXPECT_THAT(reason_for(with(llada_json(), "architectures", {"LLaDAVisionModelLM"})),
              AllOf(HasSubstr("'llada' (LLaDAVisionModelLM) is not supported"),
                    HasSubstr("llada (LLaDAModelLM), Dream (DreamModel)")));
  EXPECT_THAT(reason_for(json::object()), HasSubstr("not supported"));
  EXPECT_EQ(load(without(llada_json(), "model_type")).family, Family::llada);
  EXPECT_EQ(load(without(dream_json(), "architectures")).family, Family::dream);
}

TEST(ModelConfig, TokenIdsMayComeFromTheGenerationConfig) {
  const ModelConfig model =
      load(without(without(llada_json(), "mask_token_id"), "pad_token_id"),
           {{"bos_token_id", 497}, {"mask_token_id", 501}, {"eos_token_id", 498}});
  EXPECT_EQ(model.mask_id, 501);
  EXPECT_EQ(model.bos_id, 497);
  EXPECT_EQ(model.pad_id, -1);
  EXPECT_THAT(reason_for(llada_json(), {{"eos_token_id", 512}}),
              AllOf(HasSubstr("generation_config.json"), HasSubstr("'eos_token_id'")));
}

TEST(ModelConfig, StopIdsCollectEveryEndOnce) {
  const ModelConfig model =
      load(llada_json(), {{"eos_token_id", {497, 498}}, {"eot_token_id", 505}});
  EXPECT_EQ(model.eos_id, 498);
  EXPECT_THAT(model.stop_ids, ElementsAre(498, 497, 505));
}

TEST(ModelConfig, AModelWithoutMaskTokenIsNoDiffusionModel) {
  EXPECT_THAT(reason_for(without(dream_json(), "mask_token_id")),
              AllOf(HasSubstr("no mask token"), HasSubstr("no masked diffusion model")));
}

TEST(ModelConfig, ReadsBothGenerationsOfRotationKeys) {
  for (const json& base : {llada_json(), dream_json()}) {
    json config = without(base, "rope_theta");
    config["rope_scaling"] = nullptr;
    config["rope_parameters"] = {{"rope_type", "yarn"}, {"factor", 2}, {"rope_theta", 7}};
    const ModelConfig model = load(config);
    EXPECT_EQ(model.rope_theta, 7);
    EXPECT_EQ(model.rope.kind, RopeKind::yarn);
    EXPECT_EQ(model.rope.original_positions, model.max_positions);
    EXPECT_EQ(load(with(base, "rope_scaling", {{"type", "dynamic"}, {"factor", 4}})).rope.kind,
              RopeKind::dynamic);
  }
}

TEST(ModelConfig, QuantizedWeightsAreRefused) {
  const json q{{"quant_method", "gptq"}, {"bits", 4}};
  for (const json& base : {llada_json(), dream_json()}) {
    EXPECT_THAT(reason_for(with(base, "quantization_config", q)),
                AllOf(HasSubstr("quantized"), HasSubstr("gptq")));
  }
}

/// A byte tokenizer with these added tokens, and a tokenizer_config.json.
void write_tokenizer(const TempDir& dir, const std::vector<std::string>& added,
                     const json& settings) {
  json vocab = json::object();
  for (int byte = 0; byte < 256; ++byte) vocab[byte_to_alphabet(static_cast<uint8_t>(byte))] = byte;
  json tokens = json::array();
  for (size_t i = 0; i < added.size(); ++i) {
    tokens.push_back({{"id", 500 + i}, {"content", added[i]}, {"special", true}});
  }
  dir.write("tokenizer.json",
            json{{"added_tokens", tokens},
                 {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
                 {"decoder", {{"type", "ByteLevel"}}},
                 {"model", {{"vocab", vocab}, {"merges", json::array()}}}}
                .dump());
  dir.write("tokenizer_config.json", settings.dump());
}

TEST(ModelConfig, TheTokenizerMayNameMaskAndEnd) {
  const json config = without(without(llada_json(), "mask_token_id"), "eos_token_id");
  const auto ids = [&](const std::vector<std::string>& added, const json& settings) {
    const TempDir dir;
    dir.write("config.json", config.dump());
    write_tokenizer(dir, added, settings);
    const ModelConfig model = load_model_config(dir.path());
    return std::pair(model.mask_id, model.eos_id);
  };
  EXPECT_EQ(ids({"<m>", "<e>"}, {{"mask_token", "<m>"}, {"eos_token", "<e>"}}),
            std::pair(500, 501));
  EXPECT_EQ(ids({"<e>", "<m>"},
                {{"mask_token", {{"content", "<m>"}, {"lstrip", true}}}, {"eos_token", "<e>"}}),
            std::pair(501, 500));
  EXPECT_EQ(ids({"<|mdm_mask|>", "<e>"}, {{"eos_token", "<e>"}}), std::pair(500, 501))
      << "an added token that masks are usually called";
  EXPECT_THROW(ids({"<e>"}, {{"eos_token", "<e>"}}), Error);
  EXPECT_THROW(ids({"<mask>", "[MASK]", "<e>"}, {{"eos_token", "<e>"}}), Error);
  EXPECT_THROW(ids({"<m>"}, {{"mask_token", "<m>"}}), Error);
}

TEST(ModelConfig, SaysWhichFileIsBroken) {
  const TempDir dir;
  const auto reason = [&]() -> std::string {
    try {
      load_model_config(dir.path());
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  };
  EXPECT_THAT(reason(), AllOf(HasSubstr("config.json"), HasSubstr("no such file")));
  dir.write("config.json", "[1]");
  EXPECT_THAT(reason(), HasSubstr("expected a JSON object"));
  dir.write("config.json", R"({"model_type":"llada","model_type":"Dream"})");
  EXPECT_THAT(reason(), HasSubstr("'model_type' occurs twice"));
  dir.write("config.json", llada_json().dump());
  EXPECT_EQ(reason(), "");
  dir.write("generation_config.json", "{");
  EXPECT_THAT(reason(), HasSubstr("generation_config.json"));
}

}  // namespace
}  // namespace unmask
