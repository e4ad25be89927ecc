#include "io/gguf_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "io/text/chat_template.h"
#include "io/text/tokenizer.h"
#include "model/families.h"
#include "support/fuzz.h"
#include "support/gguf_model.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::GgufRecipe;
using testing::GgufWriter;
using ::testing::HasSubstr;
using testing::TempDir;

/// A recipe's file with tensors of one value.
std::string file_of(const GgufRecipe& recipe) {
  GgufWriter writer = recipe.metadata();
  for (const auto& [name, sizes] : recipe.shapes()) writer.tensor(name, sizes);
  return writer.bytes();
}

GgufRecipe small(const std::string& architecture = "llada") {
  GgufRecipe recipe(architecture);
  recipe.dim = 16;
  recipe.ffn_dim = 8;
  recipe.layers = 1;
  recipe.number(architecture + ".block_count", 1);
  recipe.number(architecture + ".embedding_length", 16);
  recipe.number(architecture + ".feed_forward_length", 8);
  return recipe;
}

ModelConfig config_of(const GgufRecipe& recipe, const ModelOverrides& overrides = {}) {
  const TempDir dir;
  return load_model_config(dir.write("x.gguf", file_of(recipe)), overrides);
}

struct Refusal {
  std::string reason;
  ErrorCode code = ErrorCode::other;
};
/// Why a complete reading of the file fails; empty when it does not.
Refusal refusal_of(const std::string& content) {
  const TempDir dir;
  const auto path = dir.write("x.gguf", content);
  try {
    const ModelConfig config = load_model_config(path);
    const Tokenizer tokenizer = Tokenizer::load(path);
    open_checkpoint(path, config);
    ChatTemplate::load(path, tokenizer);
    return {};
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("x.gguf"));
    return {error.what(), error.code()};
  }
}
Refusal refusal_of(const GgufRecipe& recipe) { return refusal_of(file_of(recipe)); }

TEST(GgufConfig, ReadsBothArchitectures) {
  const ModelConfig llada = config_of(small());
  EXPECT_EQ(llada.family, Family::llada);
  EXPECT_EQ(llada.vocab_size, GgufRecipe::kVocab);
  EXPECT_EQ(llada.head_dim, 4);
  EXPECT_EQ(llada.max_positions, 512);
  EXPECT_EQ(llada.logit_shift, 0);
  EXPECT_FALSE(llada.qkv_bias);
  EXPECT_FALSE(llada.tied_head);
  EXPECT_EQ(llada.mask_id, 260);
  EXPECT_EQ(llada.pad_id, -1);
  EXPECT_EQ(llada.bos_id, 258);
  EXPECT_THAT(llada.stop_ids, ElementsAre(259));
  GgufRecipe dream = small("dream");
  dream.keys.erase("diffusion.shift_logits");
  dream.tied = true;
  dream.number("tokenizer.ggml.eot_token_id", 261);
  const ModelConfig read = config_of(dream);
  EXPECT_EQ(read.family, Family::dream);
  EXPECT_EQ(read.n_kv_heads, 2);
  EXPECT_EQ(read.logit_shift, 1) << "a file that does not say is shifted";
  EXPECT_TRUE(read.qkv_bias);
  EXPECT_TRUE(read.tied_head) << "there is no output.weight";
  EXPECT_THAT(read.stop_ids, ElementsAre(259, 261));
}

TEST(GgufConfig, EveryKeyThatIsNeededIsAskedFor) {
  for (const std::string architecture : {"llada", "dream"}) {
    const GgufRecipe whole = small(architecture);
    ASSERT_EQ(refusal_of(whole).reason, "");
    for (const auto& [key, write] : whole.keys) {
      GgufRecipe without = whole;
      without.keys.erase(key);
      const Refusal refusal = refusal_of(without);
      if (key == "tokenizer.ggml.bos_token_id") {
        EXPECT_EQ(refusal.reason, "");  // nothing puts it before a text
      } else if (key == "diffusion.shift_logits") {
        EXPECT_EQ(refusal.reason, "");  // then it is shifted
      } else if (key == "tokenizer.ggml.token_type") {
        EXPECT_EQ(refusal.reason, "");  // all are normal
      } else if (key == "tokenizer.chat_template") {
        EXPECT_EQ(refusal.code, ErrorCode::chat_format);
      } else {
        EXPECT_THAT(refusal.reason, AllOf(HasSubstr(key), HasSubstr("missing"))) << key;
        const ErrorCode code = key.ends_with("mask_token_id")  ? ErrorCode::mask_id
                               : key.ends_with("eos_token_id") ? ErrorCode::eos_id
                                                               : ErrorCode::other;
        EXPECT_EQ(refusal.code, code) << key;
      }
    }
  }
}

TEST(GgufConfig, TokensThatAreGivenWin) {
  GgufRecipe recipe = small();
  recipe.keys.erase("tokenizer.ggml.mask_token_id");
  recipe.keys.erase("tokenizer.ggml.eos_token_id");
  const ModelConfig config = config_of(recipe, {.mask_id = 7, .eos_id = 8});
  EXPECT_EQ(config.mask_id, 7);
  EXPECT_THAT(config.stop_ids, ElementsAre(8));
  EXPECT_EQ(config_of(small(), {.mask_id = 7}).mask_id, 7);
  EXPECT_THROW(config_of(recipe, {.mask_id = 266, .eos_id = 8}), Error);
  EXPECT_THROW(config_of(recipe, {.mask_id = 7, .eos_id = -1}), Error);
}

TEST(GgufConfig, RefusesContradictions) {
  const auto with = [](const std::function<void(GgufRecipe&)>& change) {
    GgufRecipe recipe = small();
    change(recipe);
    return refusal_of(recipe).reason;
  };
  EXPECT_THAT(with([](auto& r) { r.text("general.architecture", "gemma"); }),
              HasSubstr("no supported diffusion model"));
  EXPECT_THAT(with([](auto& r) { r.text("general.architecture", "qwen3"); }),
              HasSubstr("autoregressive"));
  EXPECT_THAT(with([](auto& r) { r.number("llada.attention.head_count_kv", 0); }),
              HasSubstr("is 0, expected 1"));
  EXPECT_THAT(with([](auto& r) { r.number("llada.attention.head_count_kv", 2); }),
              AllOf(HasSubstr("attn_k.weight"), HasSubstr("[16, 16], expected [8, 16]")));
  EXPECT_THAT(with([](auto& r) { r.number("llada.rope.dimension_count", 2); }),
              HasSubstr("is 2, expected the size 4"));
  EXPECT_THAT(with([](auto& r) { r.number("llada.attention.key_length", 3); }), HasSubstr("odd"));
  EXPECT_THAT(with([](auto& r) { r.number("llada.vocab_size", 6); }), HasSubstr("tokens, 266"));
  EXPECT_THAT(with([](auto& r) { r.number("tokenizer.ggml.padding_token_id", 266); }),
              HasSubstr("is 266, expected 0 to 265"));
  EXPECT_THAT(with([](auto& r) { r.flag("tokenizer.ggml.bos_token_id", true); }),
              HasSubstr("is bool, expected an integer"));
  EXPECT_THAT(with([](auto& r) { r.text("llada.rope.scaling.type", "longrope"); }),
              HasSubstr("rope.scaling.factor' is missing"));
  EXPECT_THAT(with([](auto& r) { r.number("llada.attention.sliding_window", 7); }),
              HasSubstr("not implemented"));
  EXPECT_THAT(with([](auto& r) { r.layers = 2; }),
              AllOf(HasSubstr("blk.1.attn_k.weight"), HasSubstr("of 1 layers")));
  EXPECT_THAT(with([](auto& r) { r.text("tokenizer.ggml.model", "llama"); }),
              HasSubstr("byte-level BPE"));
  EXPECT_THAT(with([](auto& r) { r.text("tokenizer.ggml.pre", "default"); }),
              HasSubstr("is 'default', expected one of qwen2"));
  EXPECT_THAT(with([](auto& r) { r.texts("tokenizer.ggml.merges", {"t h e"}); }),
              HasSubstr("one space"));
  EXPECT_THAT(with([](auto& r) { r.integers("tokenizer.ggml.token_type", {1}); }),
              HasSubstr("has 1 entries, expected 266"));
  EXPECT_THAT(
      with([](auto& r) { r.integers("tokenizer.ggml.token_type", std::vector<int32_t>(266, 6)); }),
      HasSubstr("says 6 of token 0"));
  EXPECT_THAT(with([](auto& r) {
                r.flag("tokenizer.ggml.add_bos_token", true);
                r.keys.erase("tokenizer.ggml.bos_token_id");
              }),
              HasSubstr("add_bos_token is set"));
}

TEST(GgufConfig, RotationsAreStretchedAsTheFileSays) {
  GgufRecipe recipe = small();
  recipe.text("llada.rope.scaling.type", "linear");
  recipe.real("llada.rope.scaling.factor", 4);
  EXPECT_EQ(config_of(recipe).rope.kind, RopeKind::linear);
  EXPECT_EQ(config_of(recipe).rope.factor, 4);
  recipe.text("llada.rope.scaling.type", "yarn");
  recipe.number("llada.rope.scaling.original_context_length", 128);
  const RopeScaling yarn = config_of(recipe).rope;
  EXPECT_EQ(yarn.kind, RopeKind::yarn);
  EXPECT_EQ(yarn.original_positions, 128);
  EXPECT_NEAR(yarn.attention_factor, 1.1386F, 1e-4F);
}

TEST(GgufTokenizer, KnowsWhatKindTokensAre) {
  GgufRecipe recipe = small();
  recipe.flag("tokenizer.ggml.add_bos_token", true);
  const TempDir dir;
  const Tokenizer tokenizer = Tokenizer::load(dir.write("x.gguf", file_of(recipe)));
  EXPECT_THAT(tokenizer.encode("the<|eot_id|><tool>"), ElementsAre(257, 261, 264));
  EXPECT_THAT(tokenizer.encode("[PAD265]").size(), 8) << "an unused row is no token";
  EXPECT_EQ(tokenizer.decode(std::vector<TokenId>{257, 265, 264}), "the<tool>");
  EXPECT_EQ(tokenizer.decode(std::vector<TokenId>{261, 264}, {.skip_special = true}), "<tool>");
  EXPECT_THAT(tokenizer.encode_prompt("the"), ElementsAre(258, 257));
  EXPECT_THAT(tokenizer.encode_prompt("<|startoftext|>the"), ElementsAre(258, 257))
      << "a template has written it already";
  EXPECT_EQ(tokenizer.token_of_role("mask_token"), 260);
  EXPECT_EQ(tokenizer.encode("e\xCC\x81").size(), 3U) << "LLaDA's text stays as it is";
  const Tokenizer dream = Tokenizer::load(dir.write("y.gguf", file_of(small("dream"))));
  EXPECT_EQ(dream.encode("e\xCC\x81").size(), 2U) << "Dream's is composed";
}

TEST(GgufConfig, DamagedFilesLoadOrAreRefused) {
  const std::string valid = file_of(small("dream"));
  const auto counts = testing::fuzz(valid, 800, 9000, [](const auto& path) {
    const ModelConfig model = load_model_config(path);
    ASSERT_GT(model.head_dim, 0);
    Tokenizer::load(path).encode("the text");
    const auto checkpoint = open_checkpoint(path, model);
    unsigned sum = 0;  // touch every byte a tensor claims
    for (const std::string_view name : checkpoint->names()) {
      for (const std::byte b : checkpoint->at(name).bytes) sum += std::to_integer<unsigned>(b);
    }
    ASSERT_LT(sum, 1U << 25);
  });
  EXPECT_GT(counts.loaded, 10);  // changes in token texts and data are no defect
  EXPECT_GT(counts.refused, 400);
}

}  // namespace
}  // namespace unmask
