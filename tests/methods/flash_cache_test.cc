// flash-cache against an implementation of its own, decision for decision.
#include "methods/flash_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

#include "methods/flash_cache_twin.h"
#include "support/error_of.h"
#include "support/method_requests.h"

namespace unmask {
namespace {

using ::testing::HasSubstr;

class FlashCacheTest : public ::testing::TestWithParam<const char*> {
 protected:
  Request request(const std::string& method, double threshold, int prompt = 29, int length = 40) {
    Request r = testing::method_request(model_, method, prompt, length, length, length);
    r.sampler.threshold = threshold;
    return r;
  }
  Result run(const Request& r) { return generate(model_.transformer, {&r, 1})[0]; }

  testing::LoadedModel model_{std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + GetParam(),
                              create_cpu_backend({.threads = 2})};
  testing::PlainModel twin_{model_.checkpoint, model_.config};
};
INSTANTIATE_TEST_SUITE_P(Models, FlashCacheTest, ::testing::Values("llada-tiny", "dream-tiny"),
                         [](const auto& param) { return std::string(param.param).substr(0, 5); });

TEST_P(FlashCacheTest, EqualsItsTwin) {
  std::set<TokenId> seen;
  size_t steps = 0;
  const std::tuple<double, int, int, int> cases[] = {
      {0.1, 4, 10, 6}, {1.0, 4, 10, 6}, {0.3, 8, 8, 0}, {0.3, 16, 64, 64}};
  for (const auto& [threshold, active, masks, decided] : cases) {
    const Request r =
        request(fmt::format("flash-cache:active={},masks={},decided={}", active, masks, decided),
                threshold, 19, 28);
    const auto expected = flash_cache_twin(twin_, {.tokens = r.tokens,
                                                   .threshold = threshold,
                                                   .active = active,
                                                   .masks = masks,
                                                   .decided = decided});
    size_t step = 0;
    generate(model_.transformer, {&r, 1}, [&](const StepEvent& event) {
      const std::vector<testing::PlainChoice>& choices = expected.at(step++);
      EXPECT_EQ(event.decided.size(), choices.size()) << r.method << " step " << step;
      for (size_t i = 0; i < std::min(event.decided.size(), choices.size()); ++i) {
        EXPECT_EQ(event.decided[i].position, choices[i].position) << r.method << " " << step;
        EXPECT_EQ(event.decided[i].token, choices[i].token) << r.method << " " << step;
        EXPECT_NEAR(event.decided[i].confidence, choices[i].probability, 1e-4);
        seen.insert(event.decided[i].token);
      }
      return step < expected.size();
    });
    EXPECT_EQ(step, expected.size()) << r.method;
    steps += step;
  }
  EXPECT_GE(seen.size(), 8U) << "texts too dull to show a difference";
  EXPECT_LT(steps, size_t{4 * 28}) << "no step decided several tokens";
}

TEST_P(FlashCacheTest, ComputesNoMoreThanItsShare) {
  const Request r = request("flash-cache:active=4,masks=10,decided=6", 0.2);
  std::vector<int> rows;
  generate(model_.transformer, {&r, 1}, [&](const StepEvent& event) {
    rows.push_back(event.rows);
    for (const Decision& d : event.decided) EXPECT_GE(d.position, 29);
    EXPECT_LE(event.decided.size(), 4U);
    return true;
  });
  EXPECT_EQ(rows[0], 69);
  for (size_t i = 1; i < rows.size(); ++i) EXPECT_LE(rows[i], 16) << i;
  EXPECT_GE(rows[1], 14) << "a row may be a mask's and a decided position's";
}

TEST_P(FlashCacheTest, RefusesWhatItCannotKeep) {
  const auto reason = [&](const Request& r) { return testing::error_of([&] { run(r); }); };
  EXPECT_THAT(reason(request("flash-cache:masks=8", 0.5)), HasSubstr("masks"));
  Request r = request("flash-cache", 0.5);
  r.sampler.editing = Editing{};
  EXPECT_THAT(reason(r), HasSubstr("editing"));
}

TEST(FlashCache, ComputingEverythingIsTheFullMethod) {
  testing::LoadedModel model(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny",
                             create_cpu_backend({.threads = 2}));
  for (const double threshold : {0.1, 0.4}) {
    const auto tokens = [&](const char* method) {
      Request r = testing::method_request(model, method, 29, 40, 40, 40);
      r.sampler.threshold = threshold;
      return generate(model.transformer, {&r, 1})[0].tokens;
    };
    EXPECT_EQ(tokens("flash-cache:active=99,masks=99,decided=99"), tokens("full"));
  }
}

}  // namespace
}  // namespace unmask
