#include "serve/generation_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

#include "core/error.h"
#include "serve/refusal.h"

namespace unmask {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using testing::expect_refusal;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::refusal;

GenerationFields read(const std::string& text, const ServeDefaults& defaults = {}) {
  const json document = json::parse(text);
  Fields body(document);
  return read_generation(body, defaults);
}

TEST(GenerationFields, DefaultsAreThoseOfTheServer) {
  ServeDefaults defaults;
  defaults.options.preset = Preset::fast;
  defaults.options.threshold = 0.8;
  const GenerationFields fields = read("{}", defaults);
  EXPECT_EQ(fields.options.preset, Preset::fast);
  EXPECT_EQ(fields.options.threshold, 0.8);
  EXPECT_EQ(fields.options.temperature, 0);
  EXPECT_EQ(fields.choices, 1);
  EXPECT_FALSE(fields.stream || fields.include_usage || fields.frames);
  EXPECT_THAT(fields.stops, IsEmpty());
  EXPECT_THAT(fields.ignored, IsEmpty());
}

TEST(GenerationFields, ReadsOpenAisMembers) {
  const GenerationFields fields =
      read(R"({"seed":7,"temperature":0.5,"n":3,"stop":["a","b"],"stream":true,"top_p":0.9,
               "stream_options":{"include_usage":true},"user":"me","store":false})");
  EXPECT_EQ(fields.options.seed, 7U);
  EXPECT_EQ(fields.options.temperature, 0.5);
  EXPECT_EQ(fields.options.top_p, 0.9);
  EXPECT_EQ(fields.options.algorithm, "maskgit_plus");
  EXPECT_EQ(fields.choices, 3);
  EXPECT_TRUE(fields.stream && fields.include_usage);
  EXPECT_THAT(fields.stops, ElementsAre("a", "b"));
  EXPECT_THAT(read(R"({"stop":"x"})").stops, ElementsAre("x"));
  EXPECT_THAT(read(R"({"stop":[]})").stops, IsEmpty());
  EXPECT_EQ(read(R"({"temperature":null,"stop":null,"n":null})").choices, 1);
}

TEST(GenerationFields, FiltersMeanNothingWithoutATemperature) {
  EXPECT_FALSE(read(R"({"top_p":0.5,"top_k":4})").options.top_p);
  EXPECT_EQ(read(R"({"top_k":4,"temperature":1})").options.top_k, 4);
  EXPECT_FALSE(read(R"({"top_k":0,"top_p":1,"temperature":1})").options.algorithm);
}

TEST(GenerationFields, RefusesWhatIsOutOfRange) {
  const std::pair<const char*, const char*> wrong[] = {
      {R"({"temperature":-1})", "temperature"},
      {R"({"temperature":3})", "temperature"},
      {R"({"temperature":"hot"})", "temperature"},
      {R"({"top_p":1.5})", "top_p"},
      {R"({"top_k":-1})", "top_k"},
      {R"({"n":0})", "n"},
      {R"({"n":9})", "n"},
      {R"({"n":1.5})", "n"},
      {R"({"stop":["a","b","c","d","e"]})", "stop"},
      {R"({"stop":""})", "stop"},
      {R"({"stop":[1]})", "stop"},
      {R"({"seed":-1})", "seed"},
      {R"({"seed":18446744073709551616})", "seed"},
      {R"({"stream":"yes"})", "stream"},
      {R"({"stream_options":{"include_usage":1}})", "stream_options.include_usage"},
      {R"({"diffusion":3})", "diffusion"},
      {R"({"diffusion":{"steps":0}})", "diffusion.steps"},
      {R"({"diffusion":{"threshold":2}})", "diffusion.threshold"},
      {R"({"diffusion":{"drafts":1}})", "diffusion.drafts"},
      {R"({"diffusion":{"preset":"best"}})", "diffusion.preset"},
      {R"({"diffusion":{"stream":"video"}})", "diffusion.stream"},
      {R"({"diffusion":{"max_fps":100}})", "diffusion.max_fps"}};
  for (const auto& [text, param] : wrong) {
    SCOPED_TRACE(text);
    expect_refusal([&, body = text] { read(body); }, param);
  }
  expect_refusal([] { read("{\"stop\":\"" + std::string(257, 'x') + "\"}"); }, "stop");
}

TEST(GenerationFields, UnknownKeysOfDiffusionAreErrors) {
  expect_refusal([] { read(R"({"diffusion":{"stepz":3}})"); }, "diffusion.stepz",
                 "unknown_parameter");
  EXPECT_THAT(refusal([] { read(R"({"diffusion":{"stepz":3}})"); }).message, HasSubstr("steps"));
  const json document = json::parse(R"({"diffusion":{"own":true}})");
  Fields body(document);
  bool own = false;
  read_generation(body, {}, [&](Fields& d) { own = d.flag("own").value_or(false); });
  EXPECT_TRUE(own);
}

TEST(GenerationFields, DiffusionHasTheNamesOfTheCommandLine) {
  const GenerationFields fields = read(
      R"({"diffusion":{"method":"full","steps":8,"block_length":4,"gen_length":16,"threshold":0.5,
          "algorithm":"entropy","alg_temp":0.1,"eps":0.001,"factor":2,"cfg_scale":1.5,
          "suppress_eos":true,"defer_eos":true,"early_stop":false,"drafts":3,"stream":"frames",
          "max_fps":5}})");
  const RequestOptions& o = fields.options;
  EXPECT_EQ(o.method, "full");
  EXPECT_EQ(o.steps, 8);
  EXPECT_EQ(o.block_length, 4);
  EXPECT_EQ(o.gen_length, 16);
  EXPECT_EQ(o.algorithm, "entropy");
  EXPECT_EQ(o.cfg_scale, 1.5);
  EXPECT_EQ(o.drafts, 3);
  EXPECT_TRUE(o.suppress_eos && o.defer_eos && !o.early_stop);
  EXPECT_TRUE(fields.frames);
  EXPECT_EQ(fields.max_fps, 5);
}

TEST(GenerationFields, APresetReplacesTheServersMethod) {
  ServeDefaults defaults;
  defaults.options.method = "sparse-dllm";
  EXPECT_EQ(read("{}", defaults).options.method, "sparse-dllm");
  EXPECT_FALSE(read(R"({"diffusion":{"preset":"exact"}})", defaults).options.method);
}

TEST(GenerationFields, NamesWhatOtherEnginesKnow) {
  EXPECT_THAT(read(R"({"min_p":0,"repeat_penalty":1,"presence_penalty":0,"logit_bias":{},
                       "samplers":[]})")
                  .ignored,
              IsEmpty());
  EXPECT_THAT(read(R"({"min_p":0.1,"frequency_penalty":1,"logit_bias":{"3":-1},
                       "samplers":["top_k"]})")
                  .ignored,
              ElementsAre("min_p", "frequency_penalty", "logit_bias", "samplers"));
}

TEST(GenerationFields, SeedsDifferWhereNoneIsGiven) {
  std::set<uint64_t> drawn;
  for (int i = 0; i < 20; ++i) drawn.insert(read("{}").options.seed);
  EXPECT_EQ(drawn.size(), 20U);
  std::set<uint64_t> choices;
  for (int i = 0; i < 20; ++i) choices.insert(seed_of_choice(5, i));
  EXPECT_EQ(choices.size(), 20U);
  EXPECT_EQ(seed_of_choice(5, 0), 5U);
}

TEST(CheckContext, NamesTheNumbers) {
  const Request request = append_masks({1, 2, 3}, 10, 0);
  check_context(request, 13);
  const ApiError error = refusal([&] { check_context(request, 12); });
  EXPECT_EQ(error.code, "context_length_exceeded");
  EXPECT_THAT(error.message, HasSubstr("found 3 tokens of prompt and 10 to generate"));
}

TEST(Checked, TurnsTheEnginesObjectionsIntoAnswers) {
  expect_refusal([] { checked([]() -> Request { fail("[x] steps: found 7, expected 8"); }); },
                 "diffusion");
}

}  // namespace
}  // namespace unmask
