#include "session/gguf_export.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

#include "core/error.h"
#include "model/adaptation.h"
#include "support/gguf_model.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using testing::GgufRecipe;
using ::testing::HasSubstr;
using testing::TempDir;

class GgufExporting : public ::testing::Test {
 protected:
  /// A model with float32 weights, opened.
  ModelFiles model(const GgufRecipe& recipe) const {
    const auto files = testing::random_model(recipe, testing::kBlockTypes[0], 11);
    return ModelFiles::open(dir_.write("model.gguf", files.floats));
  }
  ModelFiles written(const ModelFiles& files, const GgufExport& options) const {
    std::ostringstream out;
    write_gguf(files, options, out);
    return ModelFiles::open(dir_.write("written.gguf", out.str()));
  }
  std::string reason(const ModelFiles& files) const {
    try {
      written(files, {});
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }
  TempDir dir_;
};

TEST_F(GgufExporting, TheModelComesBack) {
  for (const std::string architecture : {"llada", "dream", "llada-moe", "rnd1"}) {
    SCOPED_TRACE(architecture);
    GgufRecipe recipe(architecture);
    recipe.number("tokenizer.ggml.eot_token_id", 261);
    recipe.number("tokenizer.ggml.padding_token_id", 259);
    recipe.text("unmask.note", "a note");
    recipe.text(architecture + ".rope.scaling.type", "linear");
    recipe.real(architecture + ".rope.scaling.factor", 2);
    recipe.flag("tokenizer.ggml.add_bos_token", true);
    if (recipe.experts > 0) recipe.real(architecture + ".expert_weights_scale", 1.5F);
    const ModelFiles before = model(recipe);
    for (const BlockFormat format : {BlockFormat::q8_0, BlockFormat::q4_0}) {
      int64_t last = 0;
      int64_t all = 0;
      const auto progress = [&](int64_t done, int64_t total) {
        EXPECT_GT(done, last);
        last = done;
        all = total;
      };
      const ModelFiles after =
          written(before, {.format = format, .threads = 2, .progress = progress});
      EXPECT_EQ(last, all);
      EXPECT_EQ(after.checkpoint().total_bytes(), all);
      const ModelConfig& a = before.config();
      const ModelConfig& b = after.config();
      EXPECT_EQ(b.family, a.family);
      EXPECT_EQ(b.head_dim, a.head_dim);
      EXPECT_EQ(b.moe.experts, a.moe.experts);
      EXPECT_EQ(b.moe.top_k, a.moe.top_k);
      EXPECT_EQ(b.moe.width, a.moe.width);
      EXPECT_EQ(b.moe.normalized, a.moe.normalized);
      EXPECT_EQ(b.moe.scale, a.moe.scale);
      EXPECT_EQ(b.rope.kind, RopeKind::linear);
      EXPECT_EQ(b.rope.factor, 2);
      EXPECT_EQ(b.rope_theta, a.rope_theta);
      EXPECT_EQ(b.norm_eps, a.norm_eps);
      EXPECT_EQ(b.max_positions, a.max_positions);
      EXPECT_EQ(b.logit_shift, a.logit_shift);
      EXPECT_EQ(b.mask_id, a.mask_id);
      EXPECT_EQ(b.pad_id, a.pad_id);
      EXPECT_EQ(b.bos_id, a.bos_id);
      EXPECT_EQ(b.stop_ids, a.stop_ids);
      EXPECT_EQ(b.note, a.note);
      EXPECT_EQ(after.chat_template().source(), before.chat_template().source());
      const std::string text = "the th\xC3\xA9<|eot_id|><tool>[PAD265]";
      EXPECT_EQ(after.tokenizer().encode_prompt(text), before.tokenizer().encode_prompt(text));
      EXPECT_TRUE(after.tokenizer().is_special(261));
      EXPECT_FALSE(after.tokenizer().is_special(264));
      for (const TensorSpec& spec : tensor_specs(a)) {
        if (spec.shape.size() == 1) continue;
        const HostMatrix was = host_matrix(before.checkpoint().at(spec.name));
        const HostMatrix is = host_matrix(after.checkpoint().at(spec.name));
        std::vector<float> x(static_cast<size_t>(was.in));
        std::vector<float> y(x.size());
        for (int r = 0; r < was.out; r += 37) {
          was.widen_row(r, x.data());
          is.widen_row(r, y.data());
          for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(y[i], x[i], 0.04) << spec.name << r;
        }
      }
    }
  }
}

TEST_F(GgufExporting, WhatTheFormatCannotSayIsRefused) {
  EXPECT_THAT(reason(ModelFiles::open(UNMASK_DEMO_DIRECTORY)), "");
  GgufRecipe recipe("dream");
  recipe.text("tokenizer.ggml.pre", "bailingmoe");
  EXPECT_EQ(reason(model(recipe)), "") << "a dream file is normalised whatever it cuts like";
  GgufRecipe llada;
  llada.text("tokenizer.ggml.pre", "qwen2");
  EXPECT_THAT(reason(model(llada)), HasSubstr("normalises text (NFC)"));
  GgufRecipe experts("llada-moe");
  experts.flag("llada-moe.expert_weights_norm", true);
  EXPECT_THAT(reason(model(experts)), HasSubstr("weights of the experts are normalised"));
}

TEST_F(GgufExporting, InterruptionsEndIt) {
  std::atomic<bool> stop = true;
  std::ostringstream out;
  EXPECT_THROW(write_gguf(model(GgufRecipe()), {.stop = StopToken(stop)}, out), Stopped);
}

}  // namespace
}  // namespace unmask
