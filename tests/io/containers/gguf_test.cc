#include "io/containers/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "core/error.h"
#include "io/gguf_model.h"
#include "support/fuzz.h"
#include "support/gguf_bytes.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::field;
using testing::GgufWriter;
using ::testing::HasSubstr;
using testing::TempDir;

std::string reason_for(const std::string& content) {
  const TempDir dir;
  try {
    const GgufFile file(dir.write("x.gguf", content));
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

std::string model_reason_for(const GgufWriter& writer) {
  const TempDir dir;
  try {
    read_gguf_model(GgufFile(dir.write("x.gguf", writer.bytes())));
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Gguf, ReadsValuesAndTensors) {
  GgufWriter writer;
  writer.text("name", "tiny").u32("n", 7).f32("f", 0.5F).flag("yes", true);
  writer.key("minus", GgufType::i8, field<int8_t>(-3));
  writer.texts("list", {"a", "", "bc"});
  writer.key("numbers", GgufType::array,
             field(static_cast<uint32_t>(GgufType::i32)) + field<uint64_t>(2) + field<int32_t>(1) +
                 field<int32_t>(2));
  writer.tensor("a", {8, 4}).tensor("b", {3});
  const TempDir dir;
  const GgufFile file(dir.write("x.gguf", writer.bytes()));

  EXPECT_EQ(file.version(), 3U);
  EXPECT_EQ(std::get<std::string_view>(file.metadata().at("name").value), "tiny");
  EXPECT_EQ(std::get<uint64_t>(file.metadata().at("n").value), 7U);
  EXPECT_EQ(std::get<double>(file.metadata().at("f").value), 0.5);
  EXPECT_EQ(std::get<bool>(file.metadata().at("yes").value), true);
  EXPECT_EQ(std::get<int64_t>(file.metadata().at("minus").value), -3);
  EXPECT_THAT(std::get<GgufArray>(file.metadata().at("list").value).strings,
              ElementsAre("a", "", "bc"));
  const auto& numbers = std::get<GgufArray>(file.metadata().at("numbers").value);
  EXPECT_EQ(numbers.count, 2U);
  EXPECT_EQ(numbers.bytes.size(), 8U);
  const GgufTensor& a = file.tensors().at("a");
  EXPECT_THAT(a.sizes, ElementsAre(8, 4));
  EXPECT_EQ(a.type->name, "F32");
  EXPECT_EQ(a.bytes.size(), 128U);
  EXPECT_EQ(file.tensors().at("b").bytes.size(), 12U);
}

TEST(Gguf, ReadsVersionTwoAndFilesWithoutTensors) {
  EXPECT_EQ(reason_for(GgufWriter().u32("n", 1).tensor("a", {1}).bytes(2)), "");
  EXPECT_EQ(reason_for("GGUF" + field<uint32_t>(3) + field<uint64_t>(0) + field<uint64_t>(0)), "");
  EXPECT_THAT(reason_for(GgufWriter().bytes(4)), HasSubstr("version 4"));
}

TEST(Gguf, RefusesBadNamesTypesAndValues) {
  EXPECT_THAT(reason_for(GgufWriter().u32("", 1).u32("bb", 1).bytes()), HasSubstr("1 to 65535"));
  EXPECT_THAT(reason_for(GgufWriter().u32(std::string_view("a\0b", 3), 1).bytes()),
              HasSubstr("without NUL"));
  EXPECT_THAT(reason_for(GgufWriter().tensor(std::string(64, 'n'), {1}).bytes()),
              HasSubstr("1 to 63"));
  EXPECT_THAT(reason_for(GgufWriter().key("b", GgufType::boolean, "\x02").bytes()),
              HasSubstr("boolean of value 2"));
  EXPECT_THAT(reason_for(GgufWriter().f32("general.alignment", 32).bytes()),
              HasSubstr("expected u32"));
  EXPECT_THAT(reason_for(GgufWriter().u32("general.alignment", 1U << 21).bytes()),
              HasSubstr("power of two"));
}

TEST(Gguf, HugeArraysOfEmptyStringsCostNothing) {
  const std::string array =
      field(static_cast<uint32_t>(GgufType::string)) + field<uint64_t>(uint64_t{1} << 40);
  EXPECT_THAT(reason_for(GgufWriter().key("a", GgufType::array, array).bytes()),
              HasSubstr("1099511627776 array elements"));
}

TEST(Gguf, HostileNamesStayOnOneLine) {
  const std::string reason = reason_for(GgufWriter().tensor("a\n\x1b[31m", {0}).bytes());
  EXPECT_NE(reason, "");
  EXPECT_EQ(reason.find('\n'), std::string::npos) << reason;
}

/// A complete one-layer Dream model with tiny sizes.
GgufWriter dream_model(uint32_t kv_heads = 1, bool tied = false) {
  GgufWriter writer;
  writer.text("general.architecture", "dream")
      .u32("dream.block_count", 1)
      .u32("dream.context_length", 64)
      .u32("dream.embedding_length", 8)
      .u32("dream.feed_forward_length", 6)
      .u32("dream.attention.head_count", 2)
      .u32("dream.attention.head_count_kv", kv_heads)
      .f32("dream.rope.freq_base", 1e6F)
      .f32("dream.attention.layer_norm_rms_epsilon", 1e-6F)
      .texts("tokenizer.ggml.tokens", {"a", "b", "c", "d", "e"})
      .u32("tokenizer.ggml.mask_token_id", 4)
      .u32("tokenizer.ggml.eos_token_id", 3);
  writer.tensor("token_embd.weight", {8, 5}).tensor("output_norm.weight", {8});
  if (!tied) writer.tensor("output.weight", {8, 5});
  for (const char* name : {"attn_norm.weight", "ffn_norm.weight", "attn_q.bias"}) {
    writer.tensor(std::string("blk.0.") + name, {8});
  }
  writer.tensor("blk.0.attn_q.weight", {8, 8}).tensor("blk.0.attn_output.weight", {8, 8});
  writer.tensor("blk.0.attn_k.weight", {8, 4}).tensor("blk.0.attn_k.bias", {4});
  writer.tensor("blk.0.attn_v.weight", {8, 4}).tensor("blk.0.attn_v.bias", {4});
  writer.tensor("blk.0.ffn_gate.weight", {8, 6}).tensor("blk.0.ffn_up.weight", {8, 6});
  writer.tensor("blk.0.ffn_down.weight", {6, 8});
  return writer;
}

TEST(GgufModel, ReadsADreamModel) {
  const TempDir dir;
  const GgufFile file(dir.write("x.gguf", dream_model().bytes()));
  const GgufModel model = read_gguf_model(file);
  EXPECT_EQ(architecture_name(model.architecture), "dream");
  EXPECT_EQ(model.vocab_size, 5);
  EXPECT_EQ(model.head_dim, 4);
  EXPECT_EQ(model.rope_dim, 4);
  EXPECT_EQ(model.logit_shift, 1) << "a file that does not say is shifted";
  EXPECT_FALSE(model.interleaved_rope);
  EXPECT_FALSE(model.tied_head);
  EXPECT_EQ(model.mask_id, 4);
  EXPECT_EQ(model.eos_id, 3);
  EXPECT_FALSE(model.bos_id.has_value());
}

TEST(GgufModel, WithoutAnOutputTensorTheHeadIsTied) {
  const TempDir dir;
  const GgufFile file(dir.write("x.gguf", dream_model(1, /*tied=*/true).bytes()));
  EXPECT_TRUE(read_gguf_model(file).tied_head);
}

TEST(GgufModel, RefusesContradictions) {
  EXPECT_THAT(model_reason_for(GgufWriter().text("general.architecture", "llama")),
              HasSubstr("no supported diffusion model"));
  EXPECT_THAT(model_reason_for(dream_model(0)), HasSubstr("head_count_kv' is 0"));
  EXPECT_THAT(model_reason_for(dream_model(2)),
              AllOf(HasSubstr("attn_k.weight"), HasSubstr("8 x 4, expected 8 x 8")));
  EXPECT_THAT(model_reason_for(dream_model().u32("dream.rope.dimension_count", 3)),
              HasSubstr("even"));
  EXPECT_THAT(model_reason_for(dream_model().u32("dream.rope.dimension_count", 4096)),
              HasSubstr("4096 rotated"));
  EXPECT_THAT(model_reason_for(dream_model().u32("dream.vocab_size", 6)), HasSubstr("5 tokens"));
  EXPECT_THAT(model_reason_for(dream_model().u32("tokenizer.ggml.padding_token_id", 5)),
              HasSubstr("is 5, expected 0 to 4"));
  EXPECT_THAT(model_reason_for(dream_model().flag("tokenizer.ggml.bos_token_id", true)),
              HasSubstr("is bool, expected an integer"));
  EXPECT_THAT(model_reason_for(dream_model().tensor("blk.1.attn_norm.weight", {8})),
              HasSubstr("in a model of 1 layers"));
}

TEST(GgufModel, DamagedFilesLoadOrAreRefused) {
  const std::string valid = dream_model().bytes();
  const auto counts = testing::fuzz(valid, 1500, 6000, [](const auto& path) {
    const GgufFile file(path);
    unsigned sum = 0;  // touch every byte a tensor claims
    for (const auto& [name, tensor] : file.tensors()) {
      for (const std::byte b : tensor.bytes) sum += std::to_integer<unsigned>(b);
    }
    ASSERT_LT(sum, 1U << 20);
    const GgufModel model = read_gguf_model(file);
    ASSERT_EQ(model.dim, model.n_heads * model.head_dim);
  });
  EXPECT_GT(counts.loaded, 10);  // changes in token texts and data are no defect
  EXPECT_GT(counts.refused, 1000);
}

}  // namespace
}  // namespace unmask
