#include "session/sampler_json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace unmask {
namespace {

using Json = nlohmann::ordered_json;

TEST(SamplerJson, NamesTheRulesThatAreOn) {
  Request request;
  EXPECT_EQ(sampler_json(request), Json({{"algorithm", "low_confidence"}, {"threshold", nullptr}}));
  request.sampler.threshold = 0.9;
  request.sampler.leap = Leap{.threshold = 0.75, .radius = 6};
  request.sampler.credit.emplace();
  request.sampler.attach_eos = true;
  EXPECT_EQ(sampler_json(request).dump(),
            R"({"algorithm":"low_confidence","threshold":0.9,"leap":0.75,"leap_radius":6,)"
            R"("credit":true,"attach_eos":true})");
  Request other;
  other.sampler.factor = 1.5;
  other.sampler.editing = Editing{.threshold = 0.5};
  other.growth = HoleGrowth{.expansions = 7};
  EXPECT_EQ(sampler_json(other)["factor"], 1.5);
  EXPECT_EQ(sampler_json(other)["edit"], 0.5);
  EXPECT_EQ(sampler_json(other)["grow"], 7);
  EXPECT_FALSE(sampler_json(other).contains("drafts"));
  other.sampler.drafts = 4;
  EXPECT_EQ(sampler_json(other)["drafts"], 4);
}

}  // namespace
}  // namespace unmask
