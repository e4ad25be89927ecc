// A metered backend changes nothing and measures everything.
#include <chrono>
#include <gtest/gtest.h>
#include <thread>

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
    if (operation == Operation::series) continue;  // the reference backend takes none
    EXPECT_GT(times.of(operation), 0) << operation_name(operation);
    sum += times.of(operation);
  }
  EXPECT_DOUBLE_EQ(times.total(), sum);
  EXPECT_LE(times.total(), result[0].seconds);
  EXPECT_EQ(meter.take().total(), 0);
}

/// Takes series of one step and spends time where none of the step's operations does.
class SeriesBackend final : public BackendWrapper {
 public:
  static constexpr std::chrono::milliseconds kOutside{20};

  SeriesBackend() : BackendWrapper(create_reference_backend()) {}
  std::unique_ptr<StepSeries> series(const SeriesPlan& /*plan*/) override {
    return std::make_unique<OneStep>();
  }

 private:
  class OneStep final : public StepSeries {
   public:
    std::vector<Revealed> run(const std::function<void()>& step) override {
      step();
      std::this_thread::sleep_for(kOutside);
      return {{.step = 0, .token = 5, .confidence = 1}};
    }
    void embed(const HostMatrix& /*table*/, Tensor /*out*/) override {
      std::this_thread::sleep_for(kOutside);
    }
    void choose(Tensor /*logits*/, int /*first*/) override {
      std::this_thread::sleep_for(kOutside);
    }
  };
};

TEST(MeteredBackend, CountsASeriesAndNoSecondTwice) {
  const auto meter = create_metered_backend(std::make_unique<SeriesBackend>());
  const auto start = std::chrono::steady_clock::now();
  const auto series = meter->series({});
  const std::vector<Revealed> revealed = series->run([&] {
    series->embed({}, {});
    series->choose({}, 0);
  });
  const double whole =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  ASSERT_EQ(revealed.size(), 1U);
  EXPECT_EQ(revealed[0].token, 5);
  const OperationTimes times = meter->take();
  for (const Operation operation : {Operation::series, Operation::copies, Operation::sampling}) {
    EXPECT_GE(times.of(operation), 0.02) << operation_name(operation);
  }
  EXPECT_LE(times.total(), whole);
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
