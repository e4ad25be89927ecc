#include "session/request_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "support/byte_model.h"

namespace unmask {
namespace {

using ::testing::ElementsAre;
using testing::files_of;
using ::testing::HasSubstr;
using testing::kEnd;
using testing::kMask;

TEST(BuildRequest, HasTheDefaultsOfLlada) {
  const Request request = build_request({}, files_of(Family::llada), {'h', 'i'});
  EXPECT_EQ(request.prompt_length, 2);
  EXPECT_EQ(request.gen_length(), 128);
  EXPECT_EQ(request.block_length, 32);
  EXPECT_EQ(request.steps, 128);
  EXPECT_EQ(request.sampler.algorithm, Algorithm::low_confidence);
  EXPECT_EQ(request.eos_ids, std::vector<TokenId>{kEnd});
  EXPECT_TRUE(request.early_stop);
  EXPECT_EQ(build_request({.gen_length = 8}, files_of(Family::llada), {}).block_length, 8);
}

TEST(BuildRequest, FollowsTheRecommendationsOfDream) {
  const auto algorithm = [](const GenerationDefaults& given) {
    return build_request({}, files_of(Family::dream, given), {}).sampler.algorithm;
  };
  EXPECT_EQ(algorithm({}), Algorithm::entropy);
  GenerationDefaults advice;
  advice.alg = "origin";
  EXPECT_EQ(algorithm(advice), Algorithm::entropy);
  advice.max_new_tokens = 40;
  advice.temperature = 0.2F;
  advice.top_p = 0.9F;
  advice.top_k = 7;
  advice.alg = "maskgit_plus";
  advice.alg_temp = 0.1F;
  advice.eps = 0.01F;
  const ModelFiles files = files_of(Family::dream, advice);
  const Request advised = build_request({}, files, {});
  EXPECT_EQ(advised.gen_length(), 40);
  EXPECT_EQ(advised.block_length, 40);
  EXPECT_EQ(advised.sampler.algorithm, Algorithm::maskgit_plus);
  EXPECT_FLOAT_EQ(static_cast<float>(advised.sampler.top_p.value()), 0.9F);
  EXPECT_EQ(advised.sampler.top_k, 7);
  EXPECT_FLOAT_EQ(advised.sampler.eps, 0.01F);
  const Request chosen = build_request({.temperature = 0, .top_k = 3}, files, {});
  EXPECT_EQ(chosen.sampler.temperature, 0);
  EXPECT_EQ(chosen.sampler.top_k, 3);
}

TEST(BuildRequest, RecommendationsDoNotClashWithWhatWasAskedFor) {
  GenerationDefaults advice;
  advice.top_p = 0.9F;
  advice.alg = "entropy";
  advice.alg_temp = 0.1F;
  const ModelFiles files = files_of(Family::dream, advice);
  EXPECT_NO_THROW(build_request({.algorithm = "low_confidence"}, files, {}));
  EXPECT_NO_THROW(build_request({.algorithm = "origin"}, files, {}));
  EXPECT_EQ(build_request({.threshold = 0.9}, files, {}).sampler.algorithm,
            Algorithm::maskgit_plus);
}

TEST(BuildRequest, RefusesImpossibleSizesWithAHint) {
  try {
    build_request({.gen_length = 100}, files_of(Family::llada), {});
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("use 25 or 50"));
  }
}

TEST(BuildFillRequest, PutsMasksBetweenTheTexts) {
  const auto parts = parse_fill_template("ab ___{2}c___{1}", 4);
  const Request request = build_fill_request({}, files_of(Family::llada), parts);
  EXPECT_THAT(request.tokens, ElementsAre('a', 'b', kMask, kMask, 'c', kMask));
  EXPECT_EQ(request.prompt_length, 2);
  EXPECT_EQ(request.block_length, 4);
  EXPECT_EQ(request.steps, 3) << "one a mask";
  EXPECT_TRUE(request.sampler.suppress_eos);
  EXPECT_FALSE(request.early_stop);
}

TEST(BuildFillRequest, MayBeginWithAHole) {
  const Request request =
      build_fill_request({.steps = 1}, files_of(Family::llada), parse_fill_template("___.", 1));
  EXPECT_THAT(request.tokens, ElementsAre(kMask, '.'));
  EXPECT_EQ(request.prompt_length, 0);
  EXPECT_EQ(request.steps, 1);
}

TEST(EncodeMessages, RawTextIsEncodedAsItIs) {
  const ModelFiles files = files_of(Family::llada);
  EXPECT_THAT(encode_question(files, {.raw = true}, "ab"), ElementsAre('a', 'b'));
  EXPECT_THROW(encode_messages(files, {.raw = true}, {{"user", "a"}, {"user", "b"}}), Error);
  EXPECT_THROW(encode_question(files, {.raw = true}, ""), Error);
}

TEST(EncodeMessages, UsesTheFormatThatWasChosen) {
  const ModelFiles files = files_of(Family::llada);
  const auto text = [&](const PromptOptions& options) {
    return files.tokenizer().decode(encode_question(files, options, "hi"));
  };
  EXPECT_THAT(text({.system = "Be brief.", .format = "chatml"}),
              HasSubstr("system\nBe brief.<|im_end|>\n<|im_start|>user\nhi<|im_end|>"));
  EXPECT_THAT(text({.format = "llada"}), HasSubstr("hi<|eot_id|>"));
  EXPECT_THROW(text({.format = "none"}), Error);
}

TEST(EncodeMessages, WithoutATemplateTheErrorSaysWhatItIsAbout) {
  const ModelFiles files = files_of(Family::llada);
  try {
    encode_question(files, {}, "hi");
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::chat_format);
  }
}

}  // namespace
}  // namespace unmask
