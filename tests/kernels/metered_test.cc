// A metered backend changes nothing and measures everything.
#include <gtest/gtest.h>

#include "bench/random_model.h"
#include "generate/engine.h"
#include "kernels/metered/backend.h"

namespace unmask {
namespace {

Request request_for(const RandomModel& model) {
  Request request = append_masks(std::vector<TokenId>(40, 7), 16, model.config().mask_id);
  request.block_length = 8;
  request.steps = 8;
  request.method = "sparse-dllm:keep=0.5";
  return request;
}

TEST(MeteredBackend, GivesTheSameTextAndTellsWhereTheTimeWent) {
  RandomModel plain(parse_shape("tiny-llada"), create_reference_backend());
  auto owner = create_metered_backend(create_reference_backend());
  MeteredBackend& meter = *owner;
  RandomModel metered(parse_shape("tiny-llada"), std::move(owner));
  const Request request = request_for(plain);
  const auto expected = generate(plain.transformer(), std::span(&request, 1));
  meter.take();
  const auto result = generate(metered.transformer(), std::span(&request, 1));
  EXPECT_EQ(result[0].tokens, expected[0].tokens);

  const OperationTimes times = meter.take();
  double sum = 0;
  for (int i = 0; i < kOperations; ++i) {
    const auto operation = static_cast<Operation>(i);
    EXPECT_GT(times.of(operation), 0) << operation_name(operation);
    sum += times.of(operation);
  }
  EXPECT_DOUBLE_EQ(times.total(), sum);
  EXPECT_LE(times.total(), result[0].seconds);
  EXPECT_EQ(meter.take().total(), 0);
}

TEST(MeteredBackend, CountsTheMostMemoryAtATime) {
  const auto meter = create_metered_backend(create_reference_backend());
  {
    const Buffer a = meter->allocate(1000);
    const Buffer b = meter->allocate(500);
  }
  const Buffer c = meter->allocate(700);
  EXPECT_EQ(meter->peak_bytes(), 1500U);
  const std::vector<float> weights(6);
  const auto packed = meter->pack({weights.data(), DType::f32, 2, 3});
  EXPECT_EQ(meter->peak_bytes(), 1500 + packed->bytes());
}

}  // namespace
}  // namespace unmask
