#include "serve/api/score.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/likelihood.h"
#include "serve/api/asking.h"
#include "serve/api/errand_reply.h"
#include "session/model.h"

namespace unmask {
namespace {

using ::testing::SizeIs;
using namespace unmask::testing;  // NOLINT(google-build-using-namespace)

class ScoreApi : public ::testing::Test {
 protected:
  Json answer(const std::string& body, int max_rows) {
    const Prepared prepared = prepare_score(request_of(body), context_);
    Passes& passes = dynamic_cast<ErrandPlan&>(*prepared.plan).passes();
    while (passes.step(model_.transformer(), max_rows)) {
    }
    return passes.reply(context_, 0.5);
  }
  std::string refused(const std::string& body) {
    const ApiError error = refusal([&] { prepare_score(request_of(body), context_); });
    EXPECT_EQ(error.status, 400) << body;
    return error.param.value_or("null");
  }

  Model model_{std::filesystem::path(UNMASK_DEMO_DIRECTORY), LoadOptions{.threads = 2}};
  ApiContext context_ = context_of(model_.files());
};

TEST_F(ScoreApi, IsTheEstimateOfTheEvaluationWhateverTheRowsOfAPass) {
  const std::string body =
      R"({"context":[5,6,7,8],"continuation":[[9,10,11],[12]],"samples":16,"seed":3})";
  const std::vector<TokenId> before{5, 6, 7, 8};
  const std::vector<TokenId> after{9, 10, 11};
  const Likelihood expected =
      answer_log_likelihood(model_.transformer(), before, after, {.samples = 16, .seed = 3});
  for (const int max_rows : {1, 20, 1000}) {
    const Json reply = answer(body, max_rows);
    ASSERT_THAT(reply["results"], SizeIs(2));
    const Json& first = reply["results"][0];
    EXPECT_EQ(first["log_likelihood"], expected.log_likelihood);
    EXPECT_EQ(first["standard_error"], expected.standard_error);
    EXPECT_EQ(first["samples"], 16);
    EXPECT_EQ(first["exact"], false);
    EXPECT_EQ(reply["results"][1]["exact"], true);
    EXPECT_EQ(reply["results"][1]["samples"], 1);
    EXPECT_EQ(reply["usage"]["prompt_tokens"], 7 + 5);
    EXPECT_EQ(reply["diffusion"]["rows"], 16 * 7 + 5);
  }
  EXPECT_EQ(answer(body, 1)["diffusion"]["forward_passes"], 17);
  EXPECT_EQ(answer(body, 1000)["diffusion"]["forward_passes"], 3);
}

TEST_F(ScoreApi, TextsAreTokensAndMayBeNormalised) {
  const Json whole = answer(R"({"context":"Text: a","continuation":" b c","samples":16})", 1000);
  const Json each = answer(
      R"({"context":"Text: a","continuation":" b c","samples":16,"normalise":"token"})", 1000);
  const Json& result = whole["results"][0];
  EXPECT_NEAR(each["results"][0]["log_likelihood"].get<double>() * result["tokens"].get<int>(),
              result["log_likelihood"].get<double>(), 1e-9);
}

TEST_F(ScoreApi, RefusesByName) {
  EXPECT_EQ(refused(R"({"continuation":"x"})"), "context");
  EXPECT_EQ(refused(R"({"context":3,"continuation":"x"})"), "context");
  EXPECT_EQ(refused(R"({"context":"x"})"), "continuation");
  EXPECT_EQ(refused(R"({"context":"x","continuation":""})"), "continuation");
  EXPECT_EQ(refused(R"({"context":"x","continuation":["a",[]]})"), "continuation[1]");
  EXPECT_EQ(refused(R"({"context":"x","continuation":[[2048]]})"), "continuation[0]");
  EXPECT_EQ(refused(R"({"context":"x","continuation":"y","samples":15})"), "samples");
  EXPECT_EQ(refused(R"({"context":"x","continuation":"y","seed":-1})"), "seed");
  EXPECT_EQ(refused(R"({"context":"x","continuation":"y","normalise":"byte"})"), "normalise");
  context_.defaults.context = 4;
  EXPECT_EQ(refused(R"({"context":[1,2,3,4],"continuation":[5]})"), "context");
  context_.defaults.context = 4096;
  context_.memory_limit = 10;
  EXPECT_EQ(refused(R"({"context":[1,2,3,4],"continuation":[5]})"), "context");
}

}  // namespace
}  // namespace unmask
