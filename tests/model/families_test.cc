#include "model/families.h"

#include <algorithm>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "core/error.h"
#include "io/containers/checkpoint.h"
#include "support/safetensors_bytes.h"
#include "support/small_config.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::small;
using testing::TempDir;

/// A checkpoint file with these tensors; `dtype` BF16 or I16, two bytes an element.
std::string file_of(const std::vector<TensorSpec>& specs, const std::string& dtype = "BF16") {
  std::string header = "{";
  int64_t end = 0;
  for (const TensorSpec& spec : specs) {
    const int64_t begin = end;
    int64_t elements = 1;
    for (const int64_t size : spec.shape) elements *= size;
    end += 2 * elements;
    header += fmt::format(R"({}"{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                          begin == 0 ? "" : ",", spec.name, dtype, fmt::join(spec.shape, ","),
                          begin, end);
  }
  return testing::safetensors_bytes(header + "}", std::string(static_cast<size_t>(end), '\0'));
}

std::string reason_for(const std::string& file, const ModelConfig& config) {
  const TempDir dir;
  dir.write("model.safetensors", file);
  try {
    check_checkpoint(Checkpoint(dir.path()), config);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Families, SpecsRunFromTheEmbeddingThroughTheLayersToTheHead) {
  const std::vector<TensorSpec> specs = tensor_specs(small(Family::llada));
  ASSERT_EQ(specs.size(), 3U + 2 * 9);
  EXPECT_EQ(specs.front().role, TensorRole::embedding);
  EXPECT_EQ(specs.front().layer, -1);
  EXPECT_EQ(specs[1].role, TensorRole::attn_norm);
  EXPECT_EQ(specs[1].layer, 0);
  EXPECT_EQ(specs[10].layer, 1);
  EXPECT_EQ(specs.back().role, TensorRole::head);
  EXPECT_EQ(specs.back().name, "model.transformer.ff_out.weight");
}

TEST(Families, KeyAndValueShapesFollowTheirHeads) {
  const std::vector<TensorSpec> specs = tensor_specs(small(Family::dream));
  const auto shape_of = [&](TensorRole role) {
    const auto found = std::find_if(specs.begin(), specs.end(),
                                    [&](const TensorSpec& spec) { return spec.role == role; });
    return found->shape;
  };
  EXPECT_THAT(shape_of(TensorRole::q), ElementsAre(8, 8));
  EXPECT_THAT(shape_of(TensorRole::k), ElementsAre(4, 8));
  EXPECT_THAT(shape_of(TensorRole::v_bias), ElementsAre(4));
  EXPECT_THAT(shape_of(TensorRole::down), ElementsAre(8, 6));
}

TEST(Families, ATiedHeadIsNoTensor) {
  ModelConfig config = small(Family::dream);
  config.tied_head = true;
  EXPECT_EQ(tensor_specs(config).back().role, TensorRole::final_norm);
}

TEST(Families, NamesAreFoundByRole) {
  EXPECT_EQ(tensor_name(small(Family::llada), TensorRole::down, 1),
            "model.transformer.blocks.1.ff_out.weight");
  EXPECT_EQ(tensor_name(small(Family::dream), TensorRole::head), "lm_head.weight");
  EXPECT_THROW(tensor_name(small(Family::llada), TensorRole::q_bias, 0), LogicError);
  EXPECT_EQ(role_name(TensorRole::ffn_norm), "ffn_norm");
}

TEST(Families, ChecksNameTensorFoundAndExpected) {
  const ModelConfig config = small(Family::dream);
  std::vector<TensorSpec> specs = tensor_specs(config);
  specs.push_back({TensorRole::head, -1, "extra.tensor", {1}});
  EXPECT_EQ(reason_for(file_of(specs), config), "");

  EXPECT_THAT(reason_for(file_of(specs, "I16"), config),
              AllOf(HasSubstr("model.embed_tokens.weight"), HasSubstr("I16"), HasSubstr("BF16")));
  std::vector<TensorSpec> transposed = specs;
  std::swap(transposed[2].shape, transposed[3].shape);
  EXPECT_THAT(reason_for(file_of(transposed), config),
              AllOf(HasSubstr("q_proj.weight"), HasSubstr("[4, 8], expected [8, 8]")));
  std::vector<TensorSpec> fewer = specs;
  fewer.erase(fewer.begin() + 4);
  EXPECT_THAT(reason_for(file_of(fewer), config),
              AllOf(HasSubstr(specs[4].name), HasSubstr("missing")));
}

std::vector<TensorSpec> renamed(std::vector<TensorSpec> specs,
                                const std::function<void(std::string&)>& change) {
  for (TensorSpec& spec : specs) change(spec.name);
  return specs;
}

TEST(Families, NamesOfWrappedModelsAreUnderstood) {
  for (const Family family : {Family::llada, Family::dream}) {
    const ModelConfig config = small(family);
    const std::vector<TensorSpec> specs = tensor_specs(config);
    const auto opens = [&](const std::function<void(std::string&)>& change) {
      const TempDir dir;
      dir.write("model.safetensors", file_of(renamed(specs, change)));
      check_checkpoint(*open_checkpoint(dir.path(), config), config);
    };
    EXPECT_NO_THROW(opens([](std::string&) {}));
    for (const char* prefix : {"_orig_mod.", "module.", "model.", "base_model.model.", "net."}) {
      EXPECT_NO_THROW(opens([&](std::string& name) { name = prefix + name; })) << prefix;
    }
    EXPECT_NO_THROW(opens([](std::string& name) {
      if (name.starts_with("model.")) name = name.substr(6);
    }));
  }
}

TEST(Families, MissingTensorsComeWithSomeThatAreThere) {
  const ModelConfig config = small(Family::llada);
  const std::vector<TensorSpec> others =
      renamed(tensor_specs(config), [](std::string& name) { name += ".odd"; });
  EXPECT_THAT(reason_for(file_of(others), config),
              AllOf(HasSubstr("model.transformer.wte.weight' is missing (21 of 21 are)"),
                    HasSubstr("21 tensors, e.g. '"), HasSubstr(".odd'")));
}

TEST(Families, TensorsOfAQuantizationToolAreRefusedAsSuch) {
  const ModelConfig config = small(Family::dream);
  std::vector<TensorSpec> packed = tensor_specs(config);
  packed[2].shape = {32, 1};
  packed.push_back({TensorRole::q, 0, packed[2].name + ".absmax", {1}});
  EXPECT_THAT(reason_for(file_of(packed), config),
              AllOf(HasSubstr("quantized (bitsandbytes)"), HasSubstr("original model")));
  std::vector<TensorSpec> gptq = tensor_specs(config);
  gptq[2].name = "model.layers.0.self_attn.q_proj.qweight";
  EXPECT_THAT(reason_for(file_of(gptq), config), HasSubstr("quantized (GPTQ or AWQ)"));
}

}  // namespace
}  // namespace unmask
