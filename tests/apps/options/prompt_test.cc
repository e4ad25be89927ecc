#include "apps/options/prompt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

#include "core/error.h"
#include "io/text/byte_alphabet.h"
#include "io/text/tokenizer_spec.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr TokenId kMask = 256;
constexpr TokenId kEnd = 257;

ModelFiles files_of(Family family) {
  TokenizerSpec spec{.origin = "test", .patterns = {R"([\s\S]+)"}};
  for (int byte = 0; byte < 256; ++byte) {
    spec.vocab.emplace_back(byte_to_alphabet(static_cast<uint8_t>(byte)), byte);
  }
  ModelConfig config;
  config.family = family;
  config.vocab_size = 258;
  config.max_positions = 100;
  config.mask_id = kMask;
  return {config, Tokenizer::build(spec), {kEnd}};
}

TEST(MakeRequest, HasTheDefaultsOfLlada) {
  const Request request = make_request({}, files_of(Family::llada), {'h', 'i'});
  EXPECT_EQ(request.prompt_length, 2);
  EXPECT_EQ(request.gen_length(), 128);
  EXPECT_EQ(request.block_length, 32);
  EXPECT_EQ(request.steps, 128);
  EXPECT_EQ(request.sampler.algorithm, Algorithm::low_confidence);
  EXPECT_EQ(request.eos_ids, std::vector<TokenId>{kEnd});
  EXPECT_TRUE(request.early_stop);
  EXPECT_EQ(make_request({.gen_length = 8}, files_of(Family::llada), {}).block_length, 8);
}

TEST(MakeRequest, FollowsTheRecommendationsOfDream) {
  ModelFiles files = files_of(Family::dream);
  EXPECT_EQ(make_request({}, files, {}).sampler.algorithm, Algorithm::entropy);
  GenerationDefaults& advice = files.config.generation;
  advice.alg = "origin";
  EXPECT_EQ(make_request({}, files, {}).sampler.algorithm, Algorithm::entropy);
  advice.max_new_tokens = 40;
  advice.temperature = 0.2F;
  advice.top_p = 0.9F;
  advice.top_k = 7;
  advice.alg = "maskgit_plus";
  advice.alg_temp = 0.1F;
  advice.eps = 0.01F;
  const Request advised = make_request({}, files, {});
  EXPECT_EQ(advised.gen_length(), 40);
  EXPECT_EQ(advised.block_length, 40);
  EXPECT_EQ(advised.sampler.algorithm, Algorithm::maskgit_plus);
  EXPECT_FLOAT_EQ(static_cast<float>(advised.sampler.top_p.value()), 0.9F);
  EXPECT_EQ(advised.sampler.top_k, 7);
  EXPECT_FLOAT_EQ(advised.sampler.eps, 0.01F);
  const Request chosen = make_request({.temperature = 0, .top_k = 3}, files, {});
  EXPECT_EQ(chosen.sampler.temperature, 0);
  EXPECT_EQ(chosen.sampler.top_k, 3);
}

TEST(MakeRequest, RecommendationsDoNotClashWithWhatWasAskedFor) {
  ModelFiles files = files_of(Family::dream);
  files.config.generation.top_p = 0.9F;
  files.config.generation.alg = "entropy";
  files.config.generation.alg_temp = 0.1F;
  EXPECT_NO_THROW(make_request({.algorithm = "low_confidence"}, files, {}));
  EXPECT_NO_THROW(make_request({.algorithm = "origin"}, files, {}));
  EXPECT_EQ(make_request({.threshold = 0.9}, files, {}).sampler.algorithm, Algorithm::maskgit_plus);
}

TEST(MakeRequest, RefusesImpossibleSizesWithAHint) {
  try {
    make_request({.gen_length = 100}, files_of(Family::llada), {});
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("use 25 or 50"));
  }
}

TEST(MakeFillRequest, PutsMasksBetweenTheTexts) {
  const auto parts = parse_fill_template("ab ___{2}c___{1}", 4);
  const Request request = make_fill_request({}, files_of(Family::llada), parts);
  EXPECT_THAT(request.tokens, ElementsAre('a', 'b', kMask, kMask, 'c', kMask));
  EXPECT_EQ(request.prompt_length, 2);
  EXPECT_EQ(request.block_length, 4);
  EXPECT_EQ(request.steps, 3) << "one a mask";
  EXPECT_TRUE(request.sampler.suppress_eos);
  EXPECT_FALSE(request.early_stop);
}

TEST(MakeFillRequest, MayBeginWithAHole) {
  const Request request =
      make_fill_request({.steps = 1}, files_of(Family::llada), parse_fill_template("___.", 1));
  EXPECT_THAT(request.tokens, ElementsAre(kMask, '.'));
  EXPECT_EQ(request.prompt_length, 0);
  EXPECT_EQ(request.steps, 1);
}

TEST(ReadPrompt, DropsOneLineBreakOfFilesAndStreams) {
  std::istringstream in("from stdin\n\n");
  std::ostringstream out;
  Console console{in, out, out};
  EXPECT_EQ(read_prompt({.text = "as it is\n"}, console), "as it is\n");
  EXPECT_EQ(read_prompt({}, console), "from stdin\n");
  const testing::TempDir directory;
  EXPECT_EQ(read_prompt({.file = directory.write("p", "x\n").string()}, console), "x");
  EXPECT_THROW(read_prompt({.file = (directory.path() / "none").string()}, console), Error);
  EXPECT_THROW(read_prompt({.file = directory.path().string()}, console), Error);
  EXPECT_EQ(out.str(), "");
}

TEST(WarnAboutLength, NamesTheNumbers) {
  std::istringstream in;
  std::ostringstream err;
  Console console{in, err, err};
  const ModelFiles files = files_of(Family::llada);
  warn_about_length(make_request({.gen_length = 32}, files, {}), files.config, console);
  EXPECT_EQ(err.str(), "");
  warn_about_length(make_request({.gen_length = 128}, files, {'a'}), files.config, console);
  EXPECT_THAT(err.str(), HasSubstr("129 tokens (1 of prompt, 128 to generate)"));
}

}  // namespace
}  // namespace unmask
