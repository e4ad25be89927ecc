// Numbers that overflow on the way end a request instead of becoming tokens.
#include "generate/check_stats.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>

#include "core/error.h"
#include "generate/probe.h"
#include "support/method_requests.h"

namespace unmask {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class NoNumbers : public ::testing::TestWithParam<const char*> {
 protected:
  NoNumbers() : model_(kDirectory, testing::make_backend(GetParam())) {}

  /// What generating says when one value of the last norm is this.
  std::string reason_with(float value) {
    std::vector<float> norm(static_cast<size_t>(model_.config.dim), 1);
    norm[3] = value;
    model_.backend->upload(norm.data(), model_.weights.final_norm);
    const Request r = testing::method_request(model_, "full", 5, 8, 8, 4);
    try {
      generate(model_.transformer, {&r, 1});
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::not_finite);
      return error.what();
    }
  }

  inline static const std::string kDirectory =
      std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny";
  testing::LoadedModel model_;
};

TEST_P(NoNumbers, EndARequestAtItsFirstStep) {
  EXPECT_EQ(reason_with(1), "");
  const float infinite = std::numeric_limits<float>::infinity();
  for (const float bad : {std::nanf(""), infinite, -infinite}) {
    EXPECT_THAT(reason_with(bad), AllOf(HasSubstr("step 0"), HasSubstr("logits of position 5")))
        << bad;
  }
}

TEST_P(NoNumbers, NameTheLayerWhereTheyBegin) {
  EXPECT_THAT(reason_with(std::nanf("")), HasSubstr("behind the last layer"));
  reason_with(1);
  std::vector<float> norm(static_cast<size_t>(model_.config.dim), 1);
  norm[0] = std::numeric_limits<float>::infinity();
  model_.backend->upload(norm.data(), model_.weights.layers[1].ffn_norm);
  EXPECT_THAT(reason_with(1), HasSubstr("first in layer 1"));
}

TEST_P(NoNumbers, EndNobodyElse) {
  // One token's embedding is beyond all numbers; only the request that has it suffers.
  const HostMatrix& stored = model_.weights.embedding;
  const auto values = static_cast<size_t>(stored.out) * static_cast<size_t>(stored.in);
  std::vector<float> own(values);
  to_f32(static_cast<const std::byte*>(stored.data), stored.dtype, values, own.data());
  constexpr TokenId kBad = 7;
  own[kBad * static_cast<size_t>(stored.in)] = std::numeric_limits<float>::infinity();
  model_.weights.embedding.data = own.data();
  model_.weights.embedding.dtype = DType::f32;
  const Request good = testing::method_request(model_, "full", 5, 8, 8, 4);
  Request bad = good;
  bad.tokens[2] = kBad;
  const std::vector<TokenId> alone = generate(model_.transformer, {&good, 1})[0].tokens;

  Engine engine(model_.transformer);
  const RequestId of_good = engine.submit(good);
  const RequestId of_bad = engine.submit(bad);
  while (engine.step()) {
  }
  EXPECT_EQ(engine.take(of_good).tokens, alone);
  try {
    engine.take(of_bad);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("step 0"), HasSubstr("first in layer 0")));
  }
}

TEST_P(NoNumbers, EndAProbe) {
  reason_with(std::nanf(""));
  Probe probe(model_.transformer);
  const ProbeCanvas canvas{.tokens = {1, 2, 3}, .points = {{.position = 1, .tokens = {4}}}};
  EXPECT_THROW(probe.log_probabilities({&canvas, 1}), Error);
}

INSTANTIATE_TEST_SUITE_P(Backends, NoNumbers, ::testing::Values("reference", "cpu"));

TEST(CheckStats, OneLogitOfARowIsEnough) {
  const TokenStats good{.token = 1, .probability = 0.5F, .margin = 0, .neg_entropy = -1};
  TokenStats bad = good;
  bad.neg_entropy = std::nanf("");
  const std::vector<int> positions{4, 9};
  EXPECT_NO_THROW(check_stats(std::vector{good, good}, positions, 2));
  try {
    check_stats(std::vector{good, bad}, positions, 2);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("position 9"), HasSubstr("step 2")));
  }
}

TEST(CheckRevealed, OnlyWhatWasDecidedCounts) {
  const float none = std::nanf("");
  const std::vector<int> positions{4, 9};
  EXPECT_NO_THROW(
      check_revealed(std::vector<Revealed>{{0, 1, 0.5F}, {2, 1, none}}, positions, 3, 2));
  EXPECT_THROW(check_revealed(std::vector<Revealed>{{0, 1, 0.5F}, {1, 1, none}}, positions, 3, 2),
               Error);
}

}  // namespace
}  // namespace unmask
