// Whole generations of the reference implementations with full attention, compared step by step.
#include <cmath>
#include <gtest/gtest.h>

#include "generate/engine.h"
#include "support/golden.h"
#include "support/model_fixture.h"
#include "support/tensors.h"

namespace unmask {
namespace {

const golden::Claim kClaim([](const golden::Case& c) { return c.kind() == "generate"; });

Request request_of(const golden::Case& c, const ModelConfig& config) {
  const auto& params = c.json["params"];
  EXPECT_EQ(params["mask_id"], config.mask_id);
  Request request = append_masks(c.json["prompt"], params["gen_length"], config.mask_id);
  request.steps = params["steps"];
  request.cfg_scale = params.value("cfg_scale", 0.0);
  if (params.contains("block_length")) request.block_length = params["block_length"];
  request.sampler.algorithm =
      parse_algorithm(std::string(params.contains("alg") ? params["alg"] : params["remasking"]));
  request.sampler.temperature = params["temperature"];
  request.sampler.alg_temp = params.value("alg_temp", 0.0);
  request.sampler.eps = params.value("eps", 1e-3F);
  if (const auto p = params.find("top_p"); p != params.end() && !p->is_null()) {
    request.sampler.top_p = p->get<double>();
  }
  if (const auto k = params.find("top_k"); k != params.end() && !k->is_null()) {
    request.sampler.top_k = k->get<int>();
  }
  return request;
}

class GoldenGenerate : public ::testing::TestWithParam<golden::Case> {};

TEST_P(GoldenGenerate, EveryStepEqualsTheReference) {
  const golden::Case& c = GetParam();
  const auto directory = golden::find_folder(c.json["checkpoint"], "config.json");
  const SafetensorsFile file(c.directory() / "tensors.safetensors");
  const auto trajectory = testing::values<TokenId>(file.at("trajectory"));
  const auto transfer = testing::values<int>(file.at("num_transfer"));
  const auto confidence = testing::values<float>(file.at("confidence"));
  testing::LoadedModel model(directory, testing::make_backend("cpu"));
  const Request request = request_of(c, model.config);
  const auto gen_length = static_cast<size_t>(request.gen_length());
  size_t step = 0;
  const auto check = [&](const StepEvent& event) {
    const auto row = trajectory.begin() + static_cast<std::ptrdiff_t>(step * event.tokens.size());
    EXPECT_TRUE(std::equal(event.tokens.begin(), event.tokens.end(), row)) << "step " << step;
    EXPECT_EQ(static_cast<int>(event.decided.size()), transfer[step]) << "step " << step;
    for (const Decision& d : event.decided) {
      const auto column = static_cast<size_t>(d.position - request.prompt_length);
      EXPECT_NEAR(d.confidence, confidence[step * gen_length + column], 1e-3);
    }
    ++step;
    return true;
  };
  const std::vector<Result> results = generate(model.transformer, std::span(&request, 1), check);
  EXPECT_EQ(step, transfer.size());
  EXPECT_EQ(results[0].tokens, testing::values<TokenId>(file.at("final")));
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenGenerate);
INSTANTIATE_TEST_SUITE_P(Cases, GoldenGenerate, ::testing::ValuesIn(kClaim.cases()),
                         golden::test_name);

}  // namespace
}  // namespace unmask
