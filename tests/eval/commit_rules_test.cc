#include "eval/commit_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "core/error.h"
#include "eval/experiments.h"
#include "methods/registry.h"

namespace unmask {
namespace {

TEST(EvalRules, StandBehindAMethodOrAPreset) {
  EXPECT_EQ(split_rules("fast"), std::pair(std::string("fast"), std::string()));
  EXPECT_EQ(split_rules("fast-dllm:cache=dual@threshold=0.9,leap=0.75"),
            std::pair(std::string("fast-dllm:cache=dual"), std::string("threshold=0.9,leap=0.75")));
}

TEST(EvalRules, StandInThePlaceOfWhatWasThere) {
  const RequestOptions before{.gen_length = 9, .threshold = 0.5, .leap_radius = 3};
  const RequestOptions after = with_rules(before, "threshold=0.9,leap=0.75,credit=true");
  EXPECT_EQ(after.threshold, 0.9);
  EXPECT_EQ(after.leap, 0.75);
  EXPECT_EQ(after.leap_radius, 3);
  EXPECT_TRUE(after.credit);
  EXPECT_EQ(after.factor, std::nullopt);
  EXPECT_EQ(after.gen_length, 9);
  EXPECT_EQ(with_rules(before, "").threshold, 0.5);
  EXPECT_EQ(with_rules(before, "tokens_per_step=2").tokens_per_step, 2);
  EXPECT_EQ(with_rules(before, "drafts=4").drafts, 4);
}

TEST(EvalRules, RefuseWhatDoesNotExist) {
  for (const char* rules :
       {"treshold=0.9", "threshold=2", "leap_radius=0", "credit=maybe", "0.9"}) {
    EXPECT_THROW(with_rules({}, rules), Error) << rules;
  }
}

TEST(EvalRules, OfTheExperimentsExist) {
  ModelConfig config;
  config.n_layers = config.n_heads = config.n_kv_heads = 1;
  const std::vector<std::string> presets = preset_names();
  for (const Experiment& e : experiments()) {
    for (const std::string& method : e.methods) {
      const auto [name, rules] = split_rules(method);
      EXPECT_NO_THROW(with_rules({}, rules)) << method;
      if (std::ranges::count(presets, name) > 0) continue;
      EXPECT_NO_THROW(create_method(name, {config, 0})) << method;
    }
  }
}

}  // namespace
}  // namespace unmask
