// Expected frequencies were computed apart, in double precision, by the formulas of the
// transformers library (modeling_rope_utils.py).
#include "model/rotations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/create_backend.h"
#include "support/method_requests.h"
#include "support/tensor_files.h"

namespace unmask {
namespace {

using Floats = std::vector<float>;
using Frequencies = std::vector<double>;

ModelConfig config_of(const RopeScaling& rope, float theta = 10000, int positions = 2048) {
  ModelConfig config;
  config.head_dim = 16;
  config.rope_theta = theta;
  config.max_positions = positions;
  config.rope = rope;
  return config;
}

void expect_frequencies(const Rotation& found, const Frequencies& expected) {
  ASSERT_EQ(found.frequencies.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(found.frequencies[i], expected[i], 2e-6 * expected[i]) << "pair " << i;
  }
}

TEST(Rotations, PlainOnesAreThoseOfTheBackend) {
  const ModelConfig config = config_of({});
  EXPECT_EQ(make_rotation(config, 5000), plain_rotation(16, 10000));
  EXPECT_FALSE(Rotations(config).follow_length());
}

TEST(Rotations, LinearDividesEveryFrequency) {
  expect_frequencies(make_rotation(config_of({.kind = RopeKind::linear, .factor = 4}), 0),
                     {2.5e-1, 7.905694150e-2, 2.5e-2, 7.905694150e-3, 2.5e-3, 7.905694150e-4,
                      2.5e-4, 7.905694150e-5});
}

TEST(Rotations, NtkStretchesTheBase) {
  expect_frequencies(make_rotation(config_of({.kind = RopeKind::ntk, .factor = 4}), 0),
                     {1, 2.594128170e-1, 6.729500963e-2, 1.745718802e-2, 4.528618321e-3,
                      1.174781636e-3, 3.047534136e-4, 7.905694150e-5});
}

TEST(Rotations, DynamicStretchesAsFarAsTheCanvasNeeds) {
  const ModelConfig config = config_of({.kind = RopeKind::dynamic, .factor = 2});
  EXPECT_EQ(make_rotation(config, 2048), plain_rotation(16, 10000));
  const Frequencies at_3000{1,
                            2.878830831e-1,
                            8.287666956e-2,
                            2.385879115e-2,
                            6.868542357e-3,
                            1.977337150e-3,
                            5.692419152e-4,
                            1.638751176e-4};
  expect_frequencies(make_rotation(config, 3000), at_3000);
  Rotations rotations(config);
  EXPECT_TRUE(rotations.follow_length());
  expect_frequencies(rotations.of(3000), at_3000);
  EXPECT_EQ(rotations.of(100), plain_rotation(16, 10000));
  expect_frequencies(rotations.of(3000), at_3000);
}

TEST(Rotations, YarnRampsBetweenFastAndSlowPairs) {
  RopeScaling rope{.kind = RopeKind::yarn,
                   .factor = 4,
                   .original_positions = 2048,
                   .attention_factor = 1.1386294F};
  const Rotation found = make_rotation(config_of(rope), 0);
  expect_frequencies(found, {1, 3.162277660e-1, 1e-1, 2.569350599e-2, 6.25e-3, 1.383496476e-3,
                             2.5e-4, 7.905694150e-5});
  EXPECT_EQ(found.scale, 1.1386294F);
  rope.truncate = false;
  expect_frequencies(make_rotation(config_of(rope), 0),
                     {1, 3.162277660e-1, 1e-1, 2.387019232e-2, 5.056971521e-3, 8.112903817e-4,
                      2.5e-4, 7.905694150e-5});
  rope = {.kind = RopeKind::yarn,
          .factor = 8,
          .original_positions = 1024,
          .beta_fast = 16,
          .beta_slow = 2};
  expect_frequencies(
      make_rotation(config_of(rope), 0),
      {1, 3.162277660e-1, 1e-1, 1.778781184e-2, 1.25e-3, 3.952847075e-4, 1.25e-4, 3.952847075e-5});
}

TEST(Rotations, Llama3RampsOverWavelengths) {
  const RopeScaling rope{.kind = RopeKind::llama3,
                         .factor = 8,
                         .original_positions = 8192,
                         .low_freq_factor = 1,
                         .high_freq_factor = 4};
  expect_frequencies(make_rotation(config_of(rope, 500000, 131072), 0),
                     {1, 1.939227447e-1, 3.760603093e-2, 7.292664737e-3, 5.248461610e-4,
                      3.428102196e-5, 6.647869871e-6, 1.289173172e-6});
}

/// What a tiny model writes when its positions are turned in this way.
std::vector<TokenId> tokens_with(const RopeScaling& rope, int positions, int prompt) {
  const std::string directory = std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny";
  testing::LoadedModel model(directory, testing::make_backend("cpu"));
  ModelConfig config = model.config;
  config.rope = rope;
  config.max_positions = positions;
  Transformer transformer(config, model.weights, *model.backend);
  const Request r = testing::method_request(model, "full", prompt, 16, 16, 8);
  return generate(transformer, {&r, 1})[0].tokens;
}

TEST(Rotations, ReachTheAttentionOfAModel) {
  const auto plain = tokens_with({}, 1024, 60);
  EXPECT_NE(plain, tokens_with({.kind = RopeKind::linear, .factor = 4}, 1024, 60));
  const RopeScaling dynamic{.kind = RopeKind::dynamic, .factor = 4};
  EXPECT_EQ(plain, tokens_with(dynamic, 1024, 60));
  EXPECT_NE(plain, tokens_with(dynamic, 16, 60));
}

TEST(Rotations, DynamicOnesDoNotDependOnTheCompany) {
  const std::string directory = std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny";
  testing::LoadedModel model(directory, testing::make_backend("cpu"));
  ModelConfig config = model.config;
  config.rope = {.kind = RopeKind::dynamic, .factor = 4};
  config.max_positions = 32;
  Transformer transformer(config, model.weights, *model.backend);
  for (const char* method : {"full", "fast-dllm"}) {
    const std::vector<Request> both{testing::method_request(model, method, 9, 16, 8, 16),
                                    testing::method_request(model, method, 70, 16, 8, 16)};
    const std::vector<Result> together = generate(transformer, both);
    for (size_t i = 0; i < both.size(); ++i) {
      EXPECT_EQ(together[i].tokens, generate(transformer, {&both[i], 1})[0].tokens) << method;
    }
  }
}

}  // namespace
}  // namespace unmask
