#include "io/lora.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "support/lora_files.h"

namespace unmask {
namespace {

using nlohmann::json;
using testing::add_pair;
using ::testing::AllOf;
using testing::FileTensors;
using ::testing::HasSubstr;
using testing::lora_config;
using testing::random_tensor;
using testing::TempDir;
using testing::write_adapter;

constexpr const char* kModule = "model.layers.0.self_attn.q_proj";

class LoraTest : public ::testing::Test {
 protected:
  std::string reason(const json& config, const FileTensors& tensors) {
    write_adapter(dir_, config, tensors);
    try {
      const LoraAdapter adapter(dir_.path());
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }
  float scale(const json& config, int rank) {
    FileTensors tensors;
    add_pair(tensors, random_, kModule, {6, 4}, rank);
    write_adapter(dir_, config, tensors);
    return LoraAdapter(dir_.path()).pairs().at(kModule).scale;
  }

  std::mt19937 random_;
  TempDir dir_;
  FileTensors good_ = [this] {
    FileTensors tensors;
    add_pair(tensors, random_, kModule, {6, 4}, 2);
    return tensors;
  }();
};

TEST_F(LoraTest, ReadsPairsAndTheirBase) {
  good_["base_model.model.lm_head.modules_to_save.default.weight"] =
      random_tensor(random_, {8, 4}, "BF16");
  good_["base_model.model.model.norm.weight"] = random_tensor(random_, {4});
  write_adapter(dir_, lora_config(2, 16), good_);
  LoraAdapter opened(dir_.path());
  const LoraAdapter adapter = std::move(opened);
  EXPECT_EQ(adapter.base(), "some/base");
  ASSERT_EQ(adapter.pairs().size(), 1U);
  const LoraPair& pair = adapter.pairs().at(kModule);
  EXPECT_EQ(pair.rank(), 2);
  EXPECT_EQ(pair.a->shape, (std::vector<int64_t>{2, 4}));
  EXPECT_EQ(pair.b->shape, (std::vector<int64_t>{6, 2}));
  EXPECT_EQ(pair.scale, 8);
  EXPECT_EQ(adapter.replacements().size(), 2U);
  EXPECT_EQ(adapter.replacements().at("lm_head.weight")->dtype, "BF16");
  EXPECT_TRUE(adapter.replacements().contains("model.norm.weight"));
}

TEST_F(LoraTest, TheScaleFollowsItsOptions) {
  EXPECT_EQ(scale(lora_config(4, 16), 4), 4);
  json config = lora_config(4, 16);
  config["use_rslora"] = true;
  EXPECT_EQ(scale(config, 4), 8);
  config = lora_config(8, 16);
  config["rank_pattern"] = {{"q_proj", 2}};
  EXPECT_EQ(scale(config, 2), 8);
  config["alpha_pattern"] = {{"layers.0.self_attn.q_proj", 32}, {"layers.1.*", 4}};
  EXPECT_EQ(scale(config, 2), 16);
  config["rank_pattern"] = {{"^model.layers.0.self_attn.q_proj", 1}};
  EXPECT_EQ(scale(config, 1), 32);
  config["alpha_pattern"] = {{"proj", 32}};
  EXPECT_EQ(scale(config, 1), 16) << "a pattern fits whole parts of the name";
}

TEST_F(LoraTest, NamesMayBeWrappedAndCarryTheAdaptersName) {
  for (const std::string begin :
       {"base_model.model.", "", "module.base_model.model.", "_orig_mod.base_model.model."}) {
    for (const std::string end : {".weight", ".default.weight", ".my_adapter.weight"}) {
      FileTensors tensors;
      tensors[begin + kModule + ".lora_A" + end] = random_tensor(random_, {2, 4});
      tensors[begin + kModule + ".lora_B" + end] = random_tensor(random_, {6, 2});
      write_adapter(dir_, lora_config(2, 4), tensors);
      const LoraAdapter adapter(dir_.path());
      ASSERT_EQ(adapter.pairs().size(), 1U);
      EXPECT_TRUE(adapter.pairs().begin()->first.ends_with(kModule)) << begin << end;
    }
  }
}

TEST_F(LoraTest, OtherAdaptersAreRefusedByName) {
  for (const char* type : {"IA3", "PREFIX_TUNING", "PROMPT_TUNING", "ADALORA", "LOHA", "OFT"}) {
    json config = lora_config(2, 4);
    config["peft_type"] = type;
    EXPECT_THAT(reason(config, good_), AllOf(HasSubstr("peft_type"), HasSubstr(type)));
  }
  const std::vector<std::pair<const char*, json>> variants{{"use_dora", true},
                                                           {"bias", "all"},
                                                           {"bias", "lora_only"},
                                                           {"lora_bias", true},
                                                           {"init_lora_weights", "pissa"},
                                                           {"trainable_token_indices", {1, 2}},
                                                           {"layer_replication", {{0, 4}}},
                                                           {"r", 0},
                                                           {"lora_alpha", 0}};
  for (const auto& [key, value] : variants) {
    json config = lora_config(2, 4);
    config[key] = value;
    EXPECT_THAT(reason(config, good_), HasSubstr(key)) << value;
  }
  json config = lora_config(2, 4);
  config["init_lora_weights"] = "gaussian";
  EXPECT_EQ(reason(config, good_), "");
}

TEST_F(LoraTest, BrokenPairsAreNamed) {
  const std::string name = std::string("base_model.model.") + kModule;
  FileTensors half = good_;
  half.erase(name + ".lora_B.weight");
  EXPECT_THAT(reason(lora_config(2, 4), half), AllOf(HasSubstr("lora_B"), HasSubstr("missing")));
  FileTensors odd = good_;
  odd[name + ".lora_B.weight"] = random_tensor(random_, {6, 3});
  EXPECT_THAT(reason(lora_config(2, 4), odd), HasSubstr("no common rank"));
  EXPECT_THAT(reason(lora_config(8, 4), good_), HasSubstr("has the rank 2, expected 8"));
  FileTensors dora = good_;
  dora[name + ".lora_magnitude_vector.weight"] = random_tensor(random_, {6});
  EXPECT_THAT(reason(lora_config(2, 4), dora), HasSubstr("another kind"));
  FileTensors integers = good_;
  integers[name + ".lora_A.weight"].dtype = "I32";
  EXPECT_THAT(reason(lora_config(2, 4), integers), HasSubstr("I32"));
  EXPECT_THAT(reason(lora_config(2, 4), {}), HasSubstr("no tensor"));
}

TEST_F(LoraTest, FoldersThatHoldNoneSayWhatIsThere) {
  const auto reason_of_folder = [&]() -> std::string {
    try {
      const LoraAdapter adapter(dir_.path());
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  };
  EXPECT_THAT(reason_of_folder(), HasSubstr("adapter_config.json"));
  dir_.write("adapter_config.json", lora_config(2, 4).dump());
  EXPECT_THAT(reason_of_folder(), HasSubstr("adapter_model.safetensors"));
  dir_.write("adapter_model.bin", "x");
  EXPECT_THAT(reason_of_folder(), AllOf(HasSubstr("pickle"), HasSubstr("safetensors")));
  EXPECT_EQ(describe_adapter(dir_.path()),
            "a LoRA adapter of rank 2 for the base model 'some/base'");
}

TEST_F(LoraTest, FingerprintsFollowValuesAndScales) {
  const auto fingerprint = [&](const json& config, const FileTensors& tensors) {
    write_adapter(dir_, config, tensors);
    return LoraAdapter(dir_.path()).fingerprint();
  };
  const uint64_t first = fingerprint(lora_config(2, 4), good_);
  EXPECT_EQ(first, fingerprint(lora_config(2, 4), good_));
  EXPECT_NE(first, fingerprint(lora_config(2, 8), good_));
  good_.begin()->second.bytes[5] ^= 1;
  EXPECT_NE(first, fingerprint(lora_config(2, 4), good_));
}

}  // namespace
}  // namespace unmask
