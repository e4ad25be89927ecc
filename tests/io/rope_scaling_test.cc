#include "io/rope_scaling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/config_reader.h"

namespace unmask {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

RopeSettings settings_of(const json& config) {
  return read_rope(ConfigReader(config.dump(), "config.json"), 4096);
}

std::string rope_reason(const json& config) {
  try {
    settings_of(config);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

json scaled(const json& scaling) { return {{"rope_theta", 1e6}, {"rope_scaling", scaling}}; }

TEST(RopeScaling, NothingIsStretchedUnlessTheFileSaysSo) {
  for (const json& scaling :
       {json(), json::object(), json{{"type", "default"}}, json{{"rope_type", "default"}}}) {
    const RopeSettings rope = settings_of(scaled(scaling));
    EXPECT_EQ(rope.theta, 1e6F);
    EXPECT_EQ(rope.scaling.kind, RopeKind::plain);
  }
  EXPECT_THAT(rope_reason(json::object()), HasSubstr("'rope_theta' is missing"));
}

TEST(RopeScaling, ReadsEverySpelling) {
  const RopeSettings v5 =
      settings_of({{"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 5}}}});
  EXPECT_EQ(v5.theta, 5);
  EXPECT_EQ(v5.scaling.kind, RopeKind::plain);
  const json inner{{"rope_type", "linear"}, {"factor", 2}, {"rope_theta", 7}};
  EXPECT_EQ(settings_of({{"rope_parameters", inner}, {"rope_theta", 5}}).theta, 7);
  EXPECT_EQ(settings_of({{"rope_parameters", {{"full_attention", inner}}}}).scaling.factor, 2);
  for (const char* key : {"type", "rope_type"}) {
    const RopeScaling linear = settings_of(scaled({{key, "linear"}, {"factor", 4}})).scaling;
    EXPECT_EQ(linear.kind, RopeKind::linear);
    EXPECT_EQ(linear.factor, 4);
    EXPECT_EQ(settings_of(scaled({{key, "dynamic"}, {"factor", 2.5}})).scaling.kind,
              RopeKind::dynamic);
    EXPECT_EQ(settings_of(scaled({{key, "ntk"}, {"factor", 2.5}})).scaling.kind, RopeKind::ntk);
  }
}

TEST(RopeScaling, YarnHasTheDefaultsOfTheReference) {
  const RopeScaling usual = settings_of(scaled({{"type", "yarn"}, {"factor", 4}})).scaling;
  EXPECT_EQ(usual.original_positions, 4096);
  EXPECT_FLOAT_EQ(usual.attention_factor, 1.1386294F);
  EXPECT_EQ(usual.beta_fast, 32);
  EXPECT_EQ(usual.beta_slow, 1);
  EXPECT_TRUE(usual.truncate);
  const RopeScaling own = settings_of(scaled({{"rope_type", "yarn"},
                                              {"factor", 40},
                                              {"original_max_position_embeddings", 2048},
                                              {"mscale", 0.707},
                                              {"mscale_all_dim", 1.0},
                                              {"beta_fast", 16},
                                              {"beta_slow", 0},
                                              {"truncate", false}}))
                              .scaling;
  EXPECT_EQ(own.original_positions, 2048);
  EXPECT_FLOAT_EQ(own.attention_factor, 0.92104236F);
  EXPECT_EQ(own.beta_fast, 16);
  EXPECT_EQ(own.beta_slow, 1) << "0 stands for the default";
  EXPECT_FALSE(own.truncate);
  const RopeScaling ratio =
      settings_of(scaled({{"type", "yarn"}, {"original_max_position_embeddings", 1024}})).scaling;
  EXPECT_EQ(ratio.factor, 4) << "what the context became of the original one";
  EXPECT_EQ(settings_of(scaled({{"type", "yarn"}, {"factor", 4}, {"attention_factor", 1.5}}))
                .scaling.attention_factor,
            1.5F);
}

TEST(RopeScaling, Llama3NeedsAllItsKeys) {
  const json whole{{"rope_type", "llama3"},
                   {"factor", 8.0},
                   {"original_max_position_embeddings", 8192},
                   {"low_freq_factor", 1.0},
                   {"high_freq_factor", 4.0}};
  EXPECT_EQ(settings_of(scaled(whole)).scaling.kind, RopeKind::llama3);
  for (const char* key :
       {"factor", "original_max_position_embeddings", "low_freq_factor", "high_freq_factor"}) {
    json part = whole;
    part.erase(key);
    EXPECT_THAT(rope_reason(scaled(part)), AllOf(HasSubstr("'rope_scaling'"), HasSubstr(key)));
  }
}

TEST(RopeScaling, WhatIsNotImplementedIsRefusedByName) {
  for (const char* name : {"longrope", "su", "mrope", "proportional"}) {
    EXPECT_THAT(rope_reason(scaled({{"type", name}, {"factor", 4}})),
                AllOf(HasSubstr("'rope_scaling'"), HasSubstr(name), HasSubstr("implemented")));
  }
  EXPECT_THAT(rope_reason(scaled({{"factor", 4}})), HasSubstr("'rope_type' is missing"));
  EXPECT_THAT(rope_reason(scaled({{"type", "linear"}})), HasSubstr("'factor' is missing"));
  for (const json& factor : {json(0.5), json(0), json(-1), json("4"), json(1e60)}) {
    EXPECT_THAT(rope_reason(scaled({{"type", "linear"}, {"factor", factor}})),
                HasSubstr("'factor'"));
  }
  EXPECT_THAT(rope_reason(scaled("linear")), HasSubstr("expected an object"));
  EXPECT_THAT(rope_reason({{"rope_theta", 1}, {"partial_rotary_factor", 0.5}}),
              HasSubstr("'partial_rotary_factor'"));
}

}  // namespace
}  // namespace unmask
