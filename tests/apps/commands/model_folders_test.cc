// The program on folders as training tools leave them: what it answers, and what it says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/lora_files.h"
#include "support/program.h"

namespace unmask {
namespace {

using ::testing::AllOf;
using testing::FileTensors;
using ::testing::HasSubstr;
using testing::Outcome;
using testing::TempDir;

constexpr const char* kQuestion =
    "Text: It was late. The code of the brave otter is 4821. The sun was up. Question: What is the "
    "code of the brave otter?";
constexpr const char* kAnswer = "brave otter: 4821\n";

class ModelFolders : public ::testing::Test {
 protected:
  ModelFolders() : tensors_(testing::copy_model(UNMASK_DEMO_DIRECTORY, model_)) { write(tensors_); }

  void write(const FileTensors& tensors) const {
    model_.write("model.safetensors", testing::file_bytes(tensors));
  }
  Outcome ask(const std::vector<std::string>& options = {}) const {
    std::vector<std::string> words{"run", "-m", model_.path().string(), "-p", kQuestion,
                                   "-n",  "16"};
    words.insert(words.end(), options.begin(), options.end());
    return testing::call(words);
  }
  void edit_config(const std::string& key, const nlohmann::json& value) const {
    std::ifstream in(model_.path() / "config.json");
    nlohmann::json config = nlohmann::json::parse(in);
    config[key] = value;
    model_.write("config.json", config.dump());
  }

  TempDir model_;
  FileTensors tensors_;
};

TEST_F(ModelFolders, AnAdapterIsMergedOnRequest) {
  std::mt19937 random;
  FileTensors pairs;
  for (int layer = 0; layer < 5; ++layer) {
    for (const char* name : {"q_proj", "v_proj", "ff_proj"}) {
      const std::string module = fmt::format("model.transformer.blocks.{}.{}", layer, name);
      testing::add_pair(pairs, random, module, tensors_.at(module + ".weight").shape, 4);
    }
  }
  const TempDir adapter;
  testing::write_adapter(adapter, testing::lora_config(4, 8), pairs);
  const std::string folder = adapter.path().string();
  EXPECT_EQ(ask().out, kAnswer);
  EXPECT_EQ(ask({"--lora", folder + ":0"}).out, kAnswer);
  for (const char* dtype : {"f32", "int4"}) {
    const Outcome changed = ask({"--lora", folder, "--dtype", dtype});
    EXPECT_EQ(changed.status, kSuccess) << changed.err;
    EXPECT_NE(changed.out, kAnswer) << dtype;
  }
  // What one adds, the other takes away.
  EXPECT_EQ(ask({"--lora", folder + ":0.5", "--lora", folder + ":-0.5"}).out, kAnswer);
  const Outcome none = ask({"--lora", folder + "/none"});
  EXPECT_EQ(none.status, kFailure);
  EXPECT_THAT(none.err, HasSubstr("/none"));
}

TEST_F(ModelFolders, AnAdapterBesideAModelIsNotUsedInSilence) {
  testing::write_adapter(model_, testing::lora_config(4, 8), {});
  const Outcome outcome = ask();
  EXPECT_EQ(outcome.out, kAnswer);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("LoRA adapter"), HasSubstr("--lora")));
}

TEST_F(ModelFolders, AnAdapterAloneIsRefusedWithTheCommand) {
  std::filesystem::remove(model_.path() / "config.json");
  testing::write_adapter(model_, testing::lora_config(4, 8), {});
  const Outcome outcome = ask();
  EXPECT_EQ(outcome.status, kFailure);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("LoRA"), HasSubstr("'some/base'"), HasSubstr("--lora")));
}

TEST_F(ModelFolders, StretchedRotationsAreToldAbout) {
  edit_config("rope_scaling", {{"type", "dynamic"}, {"factor", 4.0}});
  const Outcome outcome = ask();
  EXPECT_EQ(outcome.out, kAnswer);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("rope_scaling 'dynamic'"), HasSubstr("LLaDA")));
}

TEST_F(ModelFolders, WeightsThatAreNoNumbersEndInAnError) {
  for (const char* dtype : {"auto", "f32", "int8", "int4"}) {
    FileTensors broken = tensors_;
    auto& tensor = broken.at("model.transformer.blocks.2.up_proj.weight");
    ASSERT_EQ(tensor.dtype, "BF16");
    tensor.bytes.replace(100, 2, "\xc0\x7f");
    write(broken);
    const Outcome outcome = ask({"--dtype", dtype});
    EXPECT_EQ(outcome.status, kFailure);
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("blocks.2.up_proj"), HasSubstr("layer 2")));
  }
}

TEST_F(ModelFolders, WrappedNamesAreUnderstood) {
  FileTensors wrapped;
  for (const auto& [name, tensor] : tensors_) wrapped["_orig_mod." + name] = tensor;
  write(wrapped);
  EXPECT_EQ(ask().out, kAnswer);
}

TEST_F(ModelFolders, QuantizedOnesComeWithTheWayOut) {
  edit_config("quantization_config", {{"quant_method", "bitsandbytes"}, {"load_in_4bit", true}});
  EXPECT_THAT(ask().err, AllOf(HasSubstr("bitsandbytes, 4 bits"), HasSubstr("--dtype int8")));
}

TEST_F(ModelFolders, AnotherChatTemplateNeedsItsTokens) {
  const Outcome outcome = ask({"--template", "chatml"});
  EXPECT_EQ(outcome.status, kFailure);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("<|im_start|>"), HasSubstr("--template")));
}

}  // namespace
}  // namespace unmask
