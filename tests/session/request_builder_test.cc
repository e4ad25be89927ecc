#include "session/request_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>

#include "core/error.h"
#include "support/byte_model.h"

namespace unmask {
namespace {

using ::testing::ElementsAre;
using testing::files_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kEnd;
using testing::kMask;

const RequestOptions kExact{.preset = Preset::exact};

TEST(BuildRequest, HasTheDefaultsOfLlada) {
  const Request request = build_request(kExact, files_of(Family::llada), {'h', 'i'});
  EXPECT_EQ(request.prompt_length, 2);
  EXPECT_EQ(request.gen_length(), 128);
  EXPECT_EQ(request.block_length, 32);
  EXPECT_EQ(request.steps, 128);
  EXPECT_EQ(request.sampler.algorithm, Algorithm::low_confidence);
  EXPECT_EQ(request.eos_ids, std::vector<TokenId>{kEnd});
  EXPECT_TRUE(request.early_stop);
  EXPECT_EQ(build_request({.gen_length = 8}, files_of(Family::llada), {}).block_length, 8);
}

TEST(EncodeAnswer, HoldsNoControlTokensUnlessItIsRaw) {
  const ModelFiles files = files_of(Family::llada, {}, {"<|end|>"});
  EXPECT_EQ(encode_answer(files, {.raw = true}, "a<|end|>").size(), 2U);
  EXPECT_EQ(encode_answer(files, {}, "a<|end|>").size(), 8U);
}

TEST(BuildRequest, FollowsTheRecommendationsOfDream) {
  const auto algorithm = [](const GenerationDefaults& given) {
    return build_request(kExact, files_of(Family::dream, given), {}).sampler.algorithm;
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
  const Request advised = build_request(kExact, files, {});
  EXPECT_EQ(advised.gen_length(), 40);
  EXPECT_EQ(advised.block_length, 40);
  EXPECT_EQ(advised.sampler.algorithm, Algorithm::maskgit_plus);
  EXPECT_FLOAT_EQ(static_cast<float>(advised.sampler.top_p.value()), 0.9F);
  EXPECT_EQ(advised.sampler.top_k, 7);
  EXPECT_FLOAT_EQ(advised.sampler.eps, 0.01F);
  advice.max_new_tokens = std::numeric_limits<int>::max();
  EXPECT_EQ(build_request(kExact, files_of(Family::dream, advice), {}).gen_length(), 128)
      << "the model has 100 positions, so the recommendation means nothing";
  const Request chosen =
      build_request({.preset = Preset::exact, .temperature = 0, .top_k = 3}, files, {});
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

TEST(BuildRequest, IsBalancedUnlessSomebodySaysOtherwise) {
  for (const Family family : {Family::llada, Family::dream}) {
    const Request request = build_request({}, files_of(family), {'h'});
    const PresetSettings& balanced = settings_of(Preset::balanced);
    EXPECT_EQ(request.method, balanced.method);
    EXPECT_EQ(request.sampler.threshold, balanced.threshold);
    EXPECT_EQ(request.block_length, 32);
    EXPECT_EQ(request.sampler.algorithm,
              family == Family::llada ? Algorithm::low_confidence : Algorithm::maskgit_plus);
  }
}

TEST(BuildRequest, EveryOptionOverridesThePreset) {
  const ModelFiles files = files_of(Family::llada);
  const Request own = build_request(
      {.block_length = 16, .threshold = 0.5, .early_stop = false, .method = "full"}, files, {});
  EXPECT_EQ(own.block_length, 16);
  EXPECT_EQ(own.sampler.threshold, 0.5);
  EXPECT_FALSE(own.early_stop);
  EXPECT_EQ(own.method, "full");
  EXPECT_FALSE(build_request({.steps = 64}, files, {}).sampler.dynamic()) << "steps are counted";
  EXPECT_FALSE(build_request({.tokens_per_step = 2}, files, {}).sampler.dynamic());
  EXPECT_FALSE(build_request({.algorithm = "entropy"}, files, {}).sampler.dynamic());
  EXPECT_FALSE(build_request({.alg_temp = 0.1}, files_of(Family::dream), {}).sampler.dynamic());
  EXPECT_FALSE(build_request({.factor = 1.5}, files, {}).sampler.threshold.has_value());
  const Request drafted = build_request({.drafts = 4}, files, {});
  EXPECT_FALSE(drafted.sampler.threshold.has_value());
  EXPECT_EQ(drafted.sampler.drafts, 4);
  EXPECT_EQ(drafted.steps, drafted.gen_length());
  EXPECT_EQ(build_request({.steps = 64, .threshold = 0.8}, files, {}).sampler.threshold, 0.8);
}

TEST(BuildRequest, TakesAnyLengthAndAnyNumberOfSteps) {
  const ModelFiles files = files_of(Family::llada);
  for (const int length : {1, 7, 32, 33, 100, 128}) {
    for (const int steps : {1, 2, 3, 10, 64, 1000}) {
      const Request r = build_request({.gen_length = length, .steps = steps}, files, {});
      EXPECT_EQ(r.gen_length(), length);
      EXPECT_EQ(r.steps, steps);
      EXPECT_GE(r.steps, r.blocks());
      EXPECT_TRUE(steps < 4 || r.block_length == std::min(32, length)) << length << ' ' << steps;
    }
    EXPECT_EQ(build_request({.gen_length = length, .tokens_per_step = 3}, files, {}).steps,
              (length + 2) / 3);
  }
  EXPECT_THROW(build_request({.gen_length = 0}, files, {}), Error);
  EXPECT_THROW(build_request({.steps = 0}, files, {}), Error);
  EXPECT_THROW(build_request({.steps = 4, .tokens_per_step = 4}, files, {}), Error);
}

TEST(BuildRequest, LeavesNoMaskUndecidedForWantOfSteps) {
  // Caches of models whose row p - 1 predicts p decide one token in the first step of a block.
  const ModelFiles files = files_of(Family::dream);
  for (int length = 1; length <= 70; ++length) {
    for (int steps = 1; steps <= 9; ++steps) {
      const Request r = build_request({.gen_length = length, .steps = steps}, files, {});
      int before = 0;
      for (int begin = 0; begin < length; begin += r.block_length) {
        const int size = std::min(r.block_length, length - begin);
        const int after = r.steps * (begin + size) / length;
        EXPECT_GE(after - before, std::min(2, size)) << length << " tokens, " << steps << " steps";
        before = after;
      }
    }
  }
}

/// What building a request adjusts.
std::vector<std::string> adjusted(const RequestOptions& asked, Family family) {
  std::vector<std::string> said;
  build_request(asked, files_of(family), {}, &said);
  return said;
}

TEST(BuildRequest, SaysWhatItAdjusted) {
  const auto said = [](const RequestOptions& asked) { return adjusted(asked, Family::llada); };
  EXPECT_THAT(said({}), IsEmpty());
  EXPECT_THAT(said({.gen_length = 100}), IsEmpty());
  EXPECT_THAT(said({.gen_length = 16}), IsEmpty()) << "nobody asked for blocks of 32";
  EXPECT_THAT(said({.gen_length = 64, .steps = 1}),
              ElementsAre(HasSubstr("64 tokens instead of 32")));
  EXPECT_THAT(said({.gen_length = 64, .steps = 3, .block_length = 8}),
              ElementsAre(HasSubstr("22 tokens instead of 8")));
  EXPECT_THAT(said({.gen_length = 16, .block_length = 32}),
              ElementsAre(HasSubstr("16 tokens instead of 32")));
  EXPECT_THAT(said({.max_tokens = 512, .method = "sparsed"}), IsEmpty());
  EXPECT_THAT(said({.max_tokens = 512}), IsEmpty());
  EXPECT_THAT(said({.max_tokens = 50}), IsEmpty());
}

TEST(BuildRequest, AdjustsNothingOfACanvasWithoutBlocks) {
  // Dream's published sampler denoises the whole canvas, whatever the number of steps.
  const auto said = [](const RequestOptions& asked) { return adjusted(asked, Family::dream); };
  EXPECT_THAT(said({.preset = Preset::exact, .steps = 64}), IsEmpty());
  EXPECT_THAT(said({.preset = Preset::exact, .tokens_per_step = 2}), IsEmpty());
  EXPECT_THAT(said({.preset = Preset::exact, .max_tokens = 512}), IsEmpty());
  EXPECT_THAT(said({.gen_length = 64, .steps = 1}),
              ElementsAre(HasSubstr("2 steps instead of 1"), HasSubstr("64 tokens instead of 32")));
}

TEST(BuildRequest, GrowsUpToTheMostTokens) {
  const auto lengths = [](const RequestOptions& asked, Family family) {
    const Request r = build_request(asked, files_of(family), {});
    return std::pair(r.gen_length(), r.most_length);
  };
  EXPECT_EQ(lengths({.max_tokens = 512}, Family::llada), std::pair(64, 512));
  EXPECT_EQ(lengths({.max_tokens = 512, .block_length = 128}, Family::llada), std::pair(256, 512));
  EXPECT_EQ(lengths({.gen_length = 32, .max_tokens = 512}, Family::llada), std::pair(32, 512));
  EXPECT_EQ(lengths({.max_tokens = 50}, Family::llada), std::pair(50, 0));
  EXPECT_EQ(lengths({.max_tokens = 512}, Family::dream), std::pair(64, 512));
  EXPECT_EQ(lengths({.preset = Preset::exact, .max_tokens = 512}, Family::dream),
            std::pair(64, 512))
      << "one block after the other, each of the length of the first";
  EXPECT_THROW(lengths({.gen_length = 64, .max_tokens = 32}, Family::llada), Error);
}

TEST(BuildRequest, LooksForTheEndOfACanvasThatGrows) {
  const auto in_sight = [](const RequestOptions& asked) {
    return build_request(asked, files_of(Family::llada), {}).end_in_sight;
  };
  EXPECT_EQ(in_sight({.gen_length = 64}), 0);
  EXPECT_EQ(in_sight({.max_tokens = 64}), 0) << "all of it from the beginning";
  EXPECT_EQ(in_sight({.max_tokens = 512}), 0.5);
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

TEST(BuildFillRequest, PutsAPromptBeforeTheText) {
  const std::vector<FillPart> parts{{"a", 2}, {"b", 0}};
  const Request request = build_fill_request({}, files_of(Family::llada), parts, {'q', '?'});
  EXPECT_THAT(request.tokens, ElementsAre('q', '?', 'a', kMask, kMask, 'b'));
  EXPECT_EQ(request.prompt_length, 3);
}

TEST(BuildFillRequest, HasTheStepsThatItsMethodNeeds) {
  std::vector<std::string> said;
  const auto parts = parse_fill_template("a ___{5} b", 4);
  const Request request =
      build_fill_request({.steps = 1}, files_of(Family::dream), parts, {}, &said);
  EXPECT_EQ(request.steps, 2);
  EXPECT_THAT(said, ElementsAre(HasSubstr("2 steps instead of 1")));
  said.clear();
  EXPECT_EQ(build_fill_request({.steps = 1}, files_of(Family::llada), parts, {}, &said).steps, 1);
  EXPECT_THAT(said, IsEmpty());
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
  const ModelFiles files = files_of(Family::llada, {},
                                    {"<|startoftext|>", "<|start_header_id|>", "<|end_header_id|>",
                                     "<|eot_id|>", "<|im_start|>", "<|im_end|>"});
  const auto text = [&](const PromptOptions& options) {
    return files.tokenizer().decode(encode_question(files, options, "hi"));
  };
  EXPECT_THAT(text({.system = "Be brief.", .format = "chatml"}),
              HasSubstr("system\nBe brief.<|im_end|>\n<|im_start|>user\nhi<|im_end|>"));
  EXPECT_THAT(text({.format = "llada"}), HasSubstr("hi<|eot_id|>"));
  EXPECT_THROW(text({.format = "none"}), Error);
}

TEST(EncodeMessages, AFormatWhoseMarkersAreNoTokensIsRefused) {
  const ModelFiles files = files_of(Family::llada, {}, {"<|im_start|>"});
  try {
    encode_question(files, {.format = "chatml"}, "hi");
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::chat_format);
    EXPECT_THAT(error.what(), HasSubstr("<|im_end|>"));
  }
}

TEST(BuildRequest, AnAlgorithmOfAnotherProgramIsNamedWithItsFile) {
  GenerationDefaults advice;
  advice.alg = "confidence_threshold";
  const ModelFiles files = files_of(Family::dream, advice);
  try {
    build_request({.preset = Preset::exact}, files, {});
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::algorithm);
    EXPECT_THAT(error.what(), HasSubstr("generation_config.json"));
    EXPECT_THAT(error.what(), HasSubstr("confidence_threshold"));
  }
  EXPECT_NO_THROW(build_request({.algorithm = "entropy"}, files, {}));
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
