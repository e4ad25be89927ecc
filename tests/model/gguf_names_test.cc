// GGUF models of every block format, as the loader and the engine see them.
#include "model/gguf_names.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "model/adaptation.h"
#include "support/gguf_model.h"
#include "support/lora_files.h"
#include "support/model_fixture.h"

namespace unmask {
namespace {

using ::testing::AllOf;
using testing::BlockType;
using testing::GgufRecipe;
using testing::GgufWriter;
using ::testing::HasSubstr;
using testing::TempDir;

std::string reason_for(GgufWriter writer) {
  const TempDir dir;
  const auto path = dir.write("x.gguf", writer.bytes());
  try {
    const ModelConfig config = load_model_config(path);
    const auto checkpoint = open_checkpoint(path, config);
    load_weights(*checkpoint, config, *create_reference_backend());
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

/// A model with one tensor left out, put in place of another, or added.
std::string reason_with(const std::string& name, const std::vector<int64_t>& sizes, uint32_t type,
                        const std::string& bytes) {
  const GgufRecipe recipe;
  GgufWriter writer = recipe.metadata();
  for (const auto& [known, shape] : recipe.shapes()) {
    if (known != name) writer.tensor(known, shape);
  }
  if (!sizes.empty()) writer.tensor(name, sizes, type, bytes);
  return reason_for(writer);
}

TEST(GgufNames, EveryTensorIsThereAndNoFurtherOne) {
  EXPECT_EQ(gguf_tensor_name(TensorRole::q, 3), "blk.3.attn_q.weight");
  EXPECT_EQ(gguf_tensor_name(TensorRole::head, -1), "output.weight");
  EXPECT_EQ(reason_with("none", {}, 0, ""), "");
  EXPECT_THAT(reason_with("blk.1.ffn_down.weight", {}, 0, ""),
              AllOf(HasSubstr("x.gguf"), HasSubstr("'blk.1.ffn_down.weight' is missing")));
  EXPECT_THAT(reason_with("blk.1.ffn_down.weight", {256, 512}, 2, std::string(512 * 144, '\0')),
              HasSubstr("has the shape [512, 256], expected [256, 512]"));
  EXPECT_THAT(reason_with("output_norm.weight", {256}, 8, std::string(8 * 34, '\0')),
              HasSubstr("'output_norm.weight' is stored as Q8_0, expected F32, F16 or BF16"));
  EXPECT_THAT(reason_with("rope_freqs.weight", {32}, 0, std::string(128, '\0')),
              AllOf(HasSubstr("'rope_freqs.weight'"), HasSubstr("LLaDA of 2 layers")));
}

TEST(GgufNames, OnlyQueriesAndKeysOfLladaAreInterleaved) {
  for (const std::string architecture : {"llada", "dream"}) {
    const TempDir dir;
    const auto& type = testing::kBlockTypes[0];
    const auto path =
        dir.write("x.gguf", testing::random_model(GgufRecipe(architecture), type, 1).blocks);
    const ModelConfig config = load_model_config(path);
    const auto checkpoint = open_checkpoint(path, config);
    for (const TensorSpec& spec : tensor_specs(config)) {
      const bool turned =
          architecture == "llada" && (spec.role == TensorRole::q || spec.role == TensorRole::k);
      EXPECT_EQ(checkpoint->at(spec.name).interleaved, turned ? 64 : 0) << spec.name;
    }
  }
}

class GgufFormats : public ::testing::TestWithParam<BlockType> {};

/// The root of the mean square.
double size_of(const std::vector<float>& x) {
  double squares = 0;
  for (const float v : x) squares += static_cast<double>(v) * v;
  return std::sqrt(squares / static_cast<double>(x.size()));
}

std::vector<float> difference(std::vector<float> a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
  return a;
}

TEST_P(GgufFormats, ComputeWhatTheirValuesCompute) {
  for (const std::string architecture : {"llada", "dream"}) {
    SCOPED_TRACE(architecture);
    const TempDir dir;
    const auto files = testing::random_model(GgufRecipe(architecture), GetParam(), 7);
    const auto blocks = dir.write("blocks.gguf", files.blocks);
    const auto floats = dir.write("floats.gguf", files.floats);
    std::vector<TokenId> ids;
    for (int i = 0; i < 24; ++i) ids.push_back(i % 3 == 0 ? 260 : 7 * i);
    testing::LoadedModel reference(floats, create_reference_backend());
    const std::vector<float> expected = testing::all_logits(reference, ids);
    // Widened while they are loaded, the weights are the same numbers.
    testing::LoadedModel widened(blocks, testing::make_backend("cpu"));
    EXPECT_LT(size_of(difference(testing::all_logits(widened, ids), expected)),
              1e-5 * size_of(expected));
    // As they are, products round their inputs to 8 bits: 0.7 % each, of some ten in a row.
    testing::LoadedModel stored(blocks,
                                create_cpu_backend({.threads = 2, .weights = WeightType::stored}));
    const double error = size_of(difference(testing::all_logits(stored, ids), expected));
    EXPECT_LT(error, 0.05 * size_of(expected));
  }
}

TEST_P(GgufFormats, InfiniteScalesAreFound) {
  const BlockType& type = GetParam();
  const BlockTraits& traits = block_traits(type.format);
  std::mt19937 random(3);
  const GgufRecipe recipe;
  const std::string valid = testing::random_blocks(random, type, 256 * 256, 0.1F);
  const auto with_infinity_at = [&](int place) {
    std::string bytes = valid;
    char* block = &bytes[bytes.size() / 2 / static_cast<size_t>(traits.bytes) *
                         static_cast<size_t>(traits.bytes)];
    if (type.format == BlockFormat::mxfp4) {
      block[0] = static_cast<char>(253);
      for (int i = 1; i < traits.bytes; ++i) block[i] = 0x77;  // all of the largest level
    } else {
      const uint16_t infinity = 0x7c00;
      std::memcpy(block + place, &infinity, sizeof infinity);
      for (int i = 0; i < traits.bytes; ++i) {
        const bool scale = (i >= type.d && i < type.d + 2) || (i >= type.m && i < type.m + 2);
        if (!scale && block[i] == 0) block[i] = 0x11;  // a zero times infinity is none
      }
    }
    return bytes;
  };
  EXPECT_EQ(reason_with("blk.0.attn_q.weight", {256, 256}, type.id, valid), "");
  for (const int place : {type.d, type.m}) {
    if (place < 0) continue;
    EXPECT_THAT(reason_with("blk.0.attn_q.weight", {256, 256}, type.id, with_infinity_at(place)),
                AllOf(HasSubstr("(q of layer 0)"), HasSubstr("no finite numbers")));
  }
}

INSTANTIATE_TEST_SUITE_P(All, GgufFormats, ::testing::ValuesIn(testing::kBlockTypes),
                         [](const auto& test) {
                           return std::string(block_traits(test.param.format).name);
                         });

TEST(GgufAdaptation, AdaptersChangeDequantizedWeights) {
  const TempDir dir;
  const TempDir adapter_dir;
  const auto files = testing::random_model(GgufRecipe(), testing::kBlockTypes[7], 5);
  std::mt19937 random(1);
  const std::string module = "base_model.model.model.transformer.blocks.0.q_proj";
  testing::write_adapter(adapter_dir, testing::lora_config(4, 8),
                         {{module + ".lora_A.weight", testing::random_tensor(random, {4, 256})},
                          {module + ".lora_B.weight", testing::random_tensor(random, {256, 4})}});
  const LoraAdapter adapter(adapter_dir.path());
  const ScaledAdapter scaled{&adapter, 1};
  std::vector<std::vector<float>> logits;
  for (const std::string& content : {files.blocks, files.floats}) {
    const auto path = dir.write("x.gguf", content);
    const ModelConfig config = load_model_config(path);
    const auto checkpoint = open_checkpoint(path, config);
    const TensorSpec spec{TensorRole::q, 0, tensor_name(config, TensorRole::q, 0), {256, 256}};
    const Adaptation adaptation({&scaled, 1}, config);
    ThreadPool pool(2);
    ASSERT_TRUE(adaptation.changes(spec));
    logits.push_back(adaptation.merged(spec, checkpoint->at(spec.name), pool));
  }
  EXPECT_EQ(logits[0], logits[1]) << "rows of both in the order of the family";
}

}  // namespace
}  // namespace unmask
