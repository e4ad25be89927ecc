// Steps that the device takes alone against the same steps led by the host.
#include "kernels/cuda/device_series.h"

#include <gtest/gtest.h>

#include "kernels/cuda/backend.h"
#include "support/far_backend.h"
#include "support/method_requests.h"

namespace unmask {
namespace {

/// Counts the steps that are taken alone, and can refuse to take any.
class Watched final : public testing::FarBackend {
 public:
  explicit Watched(const CudaOptions& options) : FarBackend(cuda::create_backend(options)) {}

  std::unique_ptr<StepSeries> series(const SeriesPlan& plan) override {
    if (!allowed) return nullptr;
    steps += static_cast<int>(plan.counts.size());
    return FarBackend::series(plan);
  }

  bool allowed = true;
  int steps = 0;
};

/// What a caller sees of a step.
struct Seen {
  int step, masks_left, rows;
  Range block;
  std::vector<TokenId> tokens;
  std::vector<std::tuple<int, TokenId, float>> decided;
  bool operator==(const Seen&) const = default;
};

struct Outcome {
  Result result;
  std::vector<Seen> steps;
  double last_seconds = 0;  // of the last step that was seen
};

class DeviceSeriesTest : public ::testing::TestWithParam<const char*> {
 protected:
  DeviceSeriesTest() { use({.threads = 1}); }

  void use(const CudaOptions& options) {
    auto backend = std::make_unique<Watched>(options);
    watched_ = backend.get();
    const std::string name = GetParam();
    ModelOverrides overrides;
    if (name == "lladamoe-tiny") overrides.mask_id = 501;  // its files name none
    model_.emplace(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + name, std::move(backend),
                   overrides);
  }

  Request request(const std::string& method, int block, int steps) {
    return testing::method_request(*model_, method, 19, 16, block, steps);
  }
  Outcome run(const Request& request, bool alone, int cancel_after = 1000) {
    watched_->allowed = alone;
    Outcome out;
    out.result = generate(model_->transformer, {&request, 1}, [&](const StepEvent& e) {
      Seen seen{e.step, e.masks_left, e.rows, e.block, {e.tokens.begin(), e.tokens.end()}, {}};
      for (const Decision& d : e.decided) {
        seen.decided.emplace_back(d.position, d.token, d.confidence);
      }
      out.steps.push_back(std::move(seen));
      out.last_seconds = e.seconds;
      return --cancel_after > 0;
    })[0];
    return out;
  }
  /// Runs a request both ways; returns how many steps the device took alone.
  int compare(const Request& request) {
    watched_->steps = 0;
    const Outcome alone = run(request, true);
    const int steps = watched_->steps;
    const Outcome led = run(request, false);
    EXPECT_EQ(alone.steps, led.steps) << request.method;
    EXPECT_EQ(alone.result.tokens, led.result.tokens) << request.method;
    EXPECT_EQ(alone.result.steps, led.result.steps);
    EXPECT_EQ(alone.result.masks_left, led.result.masks_left);
    if (!request.early_stop) {  // which a series notices when it has ended
      EXPECT_EQ(alone.result.forward_passes, led.result.forward_passes) << request.method;
      EXPECT_EQ(alone.result.rows, led.result.rows) << request.method;
    }
    return steps;
  }

  Watched* watched_;
  std::optional<testing::LoadedModel> model_;
};

TEST_P(DeviceSeriesTest, EveryMethodDecidesAsTheHostWould) {
  for (const std::string& method : testing::methods_of(GetParam())) {
    compare(request(method, 8, 10));
  }
}

TEST_P(DeviceSeriesTest, CachedStepsAreTakenAlone) {
  // Two blocks of 8 and a token a step: all steps but those that build the cache. Where
  // Dream's schedule rounds down a cached step decides nothing.
  const bool dream = model_->config.family == Family::dream;
  EXPECT_EQ(compare(request("sparse-dllm", 8, 16)), 2 * 6);
  EXPECT_EQ(compare(request("fast-dllm:cache=dual", 8, 16)), 2 * (dream ? 6 : 7));
  EXPECT_EQ(compare(request("streaming-dllm:window=6", 8, 16)), 2 * (dream ? 6 : 7));
  EXPECT_EQ(compare(request("maskkv+streaming-llm:window=16,block=8", 8, 16)), 2 * 6);
  EXPECT_EQ(compare(request("full", 8, 16)), 0);
  EXPECT_EQ(compare(request("sparse-dllm", 8, 6)), 0);  // one cached step a block
}

TEST_P(DeviceSeriesTest, SamplersThatDrawOrWatchThresholdsAreLedByTheHost) {
  Request r = request("fast-dllm:cache=dual", 8, 16);
  r.sampler.temperature = 0.5;
  EXPECT_EQ(compare(r), 0);
  r.sampler = {.threshold = 0.4};
  EXPECT_EQ(compare(r), 0);
  r.sampler = {.algorithm = Algorithm::random};
  EXPECT_EQ(compare(r), 0);
  r.sampler = {};
  r.cfg_scale = 0.5;
  EXPECT_EQ(compare(r), 0);
}

TEST_P(DeviceSeriesTest, EveryMeasureOfConfidence) {
  for (const Algorithm algorithm : {Algorithm::low_confidence, Algorithm::maskgit_plus,
                                    Algorithm::topk_margin, Algorithm::entropy}) {
    for (const int steps : {6, 16, 32}) {
      Request r = request("fast-dllm:cache=dual", 8, steps);
      r.sampler.algorithm = algorithm;
      r.sampler.defer_eos = steps == 16;
      r.eos_ids = {3, 7};
      EXPECT_GT(compare(r), 0);
    }
  }
}

TEST_P(DeviceSeriesTest, GivenTokensInsideTheBlockStay) {
  Request r = request("fast-dllm:cache=dual", 8, 16);
  r.tokens[21] = 40;
  r.tokens[30] = 50;
  EXPECT_GT(compare(r), 0);
}

TEST_P(DeviceSeriesTest, EndsWhereTheHostWouldEnd) {
  Request r = request("fast-dllm:cache=dual", 8, 16);
  const Outcome whole = run(r, true);
  r.eos_ids = {whole.result.tokens[21]};  // an early token of the text
  r.early_stop = true;
  compare(r);
  EXPECT_LT(run(r, true).steps.size(), whole.steps.size());
  const Outcome cancelled = run(request("fast-dllm:cache=dual", 8, 16), true, 4);
  EXPECT_TRUE(cancelled.result.cancelled);
  EXPECT_EQ(cancelled.steps.size(), 4);
  // The steps that nobody saw took their time, too.
  EXPECT_GT(cancelled.result.seconds, cancelled.last_seconds);
}

TEST_P(DeviceSeriesTest, PatternsThatMeasureInACachedStepAreLedByTheHost) {
  // Without a prompt the rows of a cached step are the whole canvas, which a pattern takes for a
  // refresh.
  for (const auto& [method, steps] :
       {std::pair{"fast-dllm+sparsed:skip=0,block=8", 24},
        std::pair{"fast-dllm:cache=dual+sparsed:skip=0.5,block=8", 16},
        std::pair{"fast-dllm+sliding-window:window=8,block=8", 16}}) {
    Request r = request(method, 16, steps);
    r.tokens.erase(r.tokens.begin(), r.tokens.begin() + r.prompt_length);
    r.prompt_length = 0;
    EXPECT_EQ(compare(r), 0);
  }
}

TEST_P(DeviceSeriesTest, LongBlocksComeInPieces) {
  Request r = request("fast-dllm:cache=dual", 16, 16);
  r.tokens.resize(r.tokens.size() + 24, model_->config.mask_id);
  r.block_length = r.steps = 40;
  watched_->steps = 0;
  const Outcome cancelled = run(r, true, 4);
  EXPECT_EQ(watched_->steps, 32);
  EXPECT_EQ(cancelled.steps.size(), 4);
  EXPECT_GT(compare(r), 35);
}

TEST_P(DeviceSeriesTest, RecordedStepsAndStepsQueuedAnewAreTheSame) {
  const Request r = request("sparse-dllm", 8, 16);
  const Outcome recorded = run(r, true);
  for (const CudaSteps steps : {CudaSteps::queue, CudaSteps::host}) {
    use({.threads = 1, .steps = steps});
    EXPECT_EQ(run(r, true).steps, recorded.steps);
  }
}

TEST_P(DeviceSeriesTest, WatchedMethodsAreLedByTheHost) {
  Request r = request("fast-dllm:cache=dual", 8, 16);
  r.observe = [](std::unique_ptr<Method> method) { return method; };
  EXPECT_EQ(compare(r), 0);
}

INSTANTIATE_TEST_SUITE_P(Models, DeviceSeriesTest,
                         ::testing::Values("llada-tiny", "dream-tiny", "lladamoe-tiny"),
                         [](const auto& model) {
                           std::string name = model.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

/// A series on a device alone, without a model: logits are written by hand.
class HandMadeSeries : public ::testing::Test {
 protected:
  std::vector<Revealed> run(SeriesPlan plan, const std::vector<std::vector<float>>& logits) {
    const auto rows = static_cast<int>(logits.size());
    const auto vocab = static_cast<int>(logits[0].size());
    const Buffer memory = backend_->allocate(dense_bytes(rows, vocab, DType::f32));
    const Tensor view = memory.view(rows, vocab);
    for (int r = 0; r < rows; ++r) {
      backend_->upload(logits[static_cast<size_t>(r)].data(), view.slice({r, r + 1}));
    }
    const auto series = backend_->series(plan);
    return series->run([&] {
      series->choose(view.slice({0, 1}), 0);
      series->choose(view.slice({1, rows}), 1);
    });
  }

  std::unique_ptr<Backend> backend_ = cuda::create_backend({.threads = 1});
};

TEST_F(HandMadeSeries, TheSurestComeFirstAndTiesGoToTheLowerRow) {
  const std::vector<std::vector<float>> logits{
      {0, 1, 0, 0}, {0, 0, 5, 0}, {0, 0, 0, 1}, {0, 3, 0, 0}, {5, 0, 0, 0}};
  const auto revealed = run(
      {.tokens = {9, 0, 0, 0, 0, 0, 9}, .open = {1, 2, 3, 4, 5}, .counts = {1, 1, 2, 1}}, logits);
  std::vector<int> steps;
  std::vector<TokenId> tokens;
  for (const Revealed& r : revealed) {
    steps.push_back(r.step);
    tokens.push_back(r.token);
  }
  EXPECT_EQ(steps, (std::vector{2, 0, 3, 2, 1}));
  EXPECT_EQ(tokens, (std::vector{1, 2, 3, 1, 0}));
  EXPECT_NEAR(revealed[3].confidence, std::exp(3) / (std::exp(3) + 3), 1e-6);
}

TEST_F(HandMadeSeries, WhatIsNotDueStaysOpen) {
  const auto revealed =
      run({.tokens = {0, 0}, .open = {0, 1}, .counts = {1}}, {{0, 1, 0}, {0, 0, 4}});
  EXPECT_EQ(revealed[0].step, 1);
  EXPECT_EQ(revealed[1].step, 0);
}

TEST_F(HandMadeSeries, RowsWithoutNumbersAreAnError) {
  const float nan = std::nanf("");
  EXPECT_THROW(
      run({.tokens = {0, 0}, .open = {0, 1}, .counts = {1, 1}}, {{0, 1, 0}, {nan, nan, nan}}),
      Error);
}

TEST(PlainRecording, RefusesWhatAGraphCannotHold) {
  cuda::Device device;
  EXPECT_THROW(device.record([&] { device.allocate(8); }), LogicError);
}

}  // namespace
}  // namespace unmask
