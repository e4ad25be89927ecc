#include "session/generation_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "session/request_builder.h"
#include "support/byte_model.h"

namespace unmask {
namespace {

using testing::files_of;
using ::testing::HasSubstr;

ModelFiles blocks_of(Family family, int block) {
  return files_of(family, {}, {}, Visibility::block_causal(block));
}

const std::vector<TokenId> kPrompt(13, 'x');

TEST(BlockRequests, LieOnTheModelsBlocksAndAnswerWhatWasAsked) {
  const ModelFiles files = blocks_of(Family::llada2, 32);
  for (const Preset preset : {Preset::exact, Preset::balanced, Preset::fast}) {
    const Request r = build_request({.preset = preset, .gen_length = 40}, files, kPrompt);
    EXPECT_EQ(r.tokens.size(), 64U);  // 13 + 40, whole blocks
    EXPECT_EQ(r.answer_length, 40);
    EXPECT_EQ(r.first_block, 32 - 13);
    EXPECT_EQ(r.block_length, 32);
    EXPECT_EQ(r.steps_per_block, 32);
    EXPECT_EQ(r.method, "block-cache");
    EXPECT_EQ(r.sampler.threshold, 0.95);
    EXPECT_TRUE(r.sampler.least);
  }
}

TEST(BlockRequests, StepsSpreadOverTheBlocks) {
  const ModelFiles files = blocks_of(Family::sdar, 4);
  const Request r = build_request({.gen_length = 16, .tokens_per_step = 2}, files, kPrompt);
  EXPECT_EQ(r.steps_per_block, 2);
  EXPECT_FALSE(r.sampler.threshold);
  EXPECT_EQ(r.sampler.counts, Counts::even_block);
}

TEST(BlockRequests, TakePartsOfABlockButNothingAcrossItsBorder) {
  const ModelFiles files = blocks_of(Family::fast_dllm_v2, 32);
  EXPECT_EQ(build_request({}, files, kPrompt).block_length, 8);
  EXPECT_EQ(build_request({.block_length = 16}, files, kPrompt).block_length, 16);
  try {
    build_request({.block_length = 24}, files, kPrompt);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("divides 32"));
  }
}

TEST(BlockRequests, CountedFromThePromptNeedNoFirstBlock) {
  const ModelFiles files = files_of(Family::a2d, {}, {}, {.block = 8, .from_prompt = true});
  const Request r = build_request({.gen_length = 20}, files, kPrompt);
  EXPECT_EQ(r.first_block, 0);
  EXPECT_EQ(r.tokens.size(), 33U);
  EXPECT_EQ(r.sampler.counts, Counts::linear);
}

TEST(FamilyRequests, EditingIsAnOption) {
  const ModelFiles files = blocks_of(Family::llada2, 32);
  const Request r = build_request({.edit = 0.9}, files, kPrompt);
  ASSERT_TRUE(r.sampler.editing.has_value());
  EXPECT_EQ(r.sampler.editing->threshold, 0.9);
  EXPECT_THROW(build_request({.edit = 2.0}, files, kPrompt), Error);
}

TEST(FamilyRequests, OpenDcoderRemasksUnlessAThresholdDecides) {
  const ModelFiles files = files_of(Family::open_dcoder);
  const Request exact = build_request({.preset = Preset::exact, .gen_length = 300}, files, kPrompt);
  EXPECT_TRUE(exact.sampler.remask);
  EXPECT_EQ(exact.steps, 200);
  EXPECT_FALSE(build_request({.gen_length = 64}, files, kPrompt).sampler.remask);
}

TEST(FamilyRequests, HolesGrowWhereTheModelHasATokenForIt) {
  const auto parts = parse_fill_template("a ___{3} b", 4);
  const Request r =
      build_fill_request({.grow = 5}, files_of(Family::dream, {}, {"<|expand|>"}), parts);
  ASSERT_TRUE(r.growth.has_value());
  EXPECT_EQ(r.growth->most_tokens, static_cast<int>(r.tokens.size()) + 5);
  EXPECT_EQ(r.method, "full");
  EXPECT_FALSE(r.sampler.suppress_eos);
  try {
    build_fill_request({.grow = 5}, files_of(Family::dream), parts);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("DreamOn"));
  }
}

}  // namespace
}  // namespace unmask
