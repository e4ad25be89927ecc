// Laws of the denoising loop, on a tiny checkpoint.
#include "generate/engine.h"

#include <gtest/gtest.h>

#include "support/model_fixture.h"

namespace unmask {
namespace {

testing::LoadedModel load(const std::string& name, int threads = 2) {
  return {std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + name,
          create_cpu_backend({.threads = threads})};
}

Request request(const testing::LoadedModel& model, int prompt_length, int gen_length, int block,
                int steps) {
  std::vector<TokenId> prompt;
  for (int i = 0; i < prompt_length; ++i) prompt.push_back((i * 37 + 11) % 400);
  Request r = append_masks(prompt, gen_length, model.config.mask_id);
  r.block_length = block;
  r.steps = steps;
  if (model.config.family == Family::dream) r.sampler.algorithm = Algorithm::entropy;
  return r;
}

Result run(testing::LoadedModel& model, const Request& r, const StepCallback& on_step = {}) {
  return generate(model.transformer, std::span(&r, 1), on_step)[0];
}

/// Options worth trying everywhere: one of each kind of sampler and schedule.
std::vector<SamplerOptions> all_samplers() {
  return {{},
          {.temperature = 0.8, .seed = 3},
          {.algorithm = Algorithm::random, .seed = 3},
          {.algorithm = Algorithm::maskgit_plus},
          {.algorithm = Algorithm::maskgit_plus, .temperature = 0.5, .top_p = 0.9, .seed = 3},
          {.algorithm = Algorithm::topk_margin, .top_k = 20},
          {.algorithm = Algorithm::entropy, .alg_temp = 0.3, .seed = 3},
          {.algorithm = Algorithm::origin, .temperature = 0.5, .seed = 3},
          {.threshold = 0.4},
          {.factor = 1.0},
          {.suppress_eos = true},
          {.defer_eos = true},
          {.attach_eos = true},
          {.threshold = 0.4, .leap = Leap{.threshold = 0.2, .radius = 3}},
          {.algorithm = Algorithm::maskgit_plus, .threshold = 0.4, .credit = CreditRule{}},
          {.credit = CreditRule{}}};
}

TEST(Generate, EverySamplerEndsAndTouchesOnlyMasks) {
  for (const char* name : {"llada-tiny", "dream-tiny"}) {
    auto model = load(name);
    for (const SamplerOptions& sampler : all_samplers()) {
      for (const auto& [block, steps] : {std::pair{24, 6}, std::pair{8, 24}, std::pair{24, 24}}) {
        Request r = request(model, 13, 24, block, steps);
        r.sampler = sampler;
        Range seen{};
        const Result result = run(model, r, [&](const StepEvent& e) {
          if (seen.size() == 0) seen = e.block;
          for (const Decision& d : e.decided) EXPECT_TRUE(d.position < e.block.end);
          return true;
        });
        EXPECT_EQ(result.masks_left, 0);
        EXPECT_EQ(seen, (Range{13, 13 + block}));
        EXPECT_TRUE(std::equal(r.tokens.begin(), r.tokens.begin() + 13, result.tokens.begin()));
      }
    }
  }
}

TEST(Generate, TheSameSeedGivesTheSameTextForAnyNumberOfThreads) {
  for (const char* name : {"llada-tiny", "dream-tiny"}) {
    auto one = load(name, 1);
    auto three = load(name, 3);
    for (SamplerOptions sampler : all_samplers()) {
      Request r = request(one, 20, 32, 16, 16);
      r.sampler = sampler;
      EXPECT_EQ(run(one, r).tokens, run(three, r).tokens);
      EXPECT_EQ(run(one, r).tokens, run(one, r).tokens);
    }
  }
}

TEST(Generate, AnotherSeedGivesAnotherText) {
  auto model = load("llada-tiny");
  Request r = request(model, 20, 32, 32, 16);
  r.sampler = {.temperature = 1, .seed = 1};
  const auto first = run(model, r).tokens;
  r.sampler.seed = 2;
  EXPECT_NE(run(model, r).tokens, first);
}

TEST(Generate, ABatchEqualsItsSingleRuns) {
  auto model = load("llada-tiny");
  std::vector<Request> requests;
  for (const auto& [prompt, gen, block, steps] :
       {std::array{5, 16, 16, 8}, std::array{40, 32, 8, 32}, std::array{0, 8, 8, 8},
        std::array{17, 24, 24, 5}}) {
    requests.push_back(request(model, prompt, gen, block, steps));
  }
  requests[1].sampler = {.temperature = 0.7, .seed = 8};
  requests[3].cfg_scale = 1.5;
  const std::vector<Result> batch = generate(model.transformer, requests);
  for (size_t i = 0; i < requests.size(); ++i) {
    const Result single = run(model, requests[i]);
    EXPECT_EQ(batch[i].tokens, single.tokens) << i;
    EXPECT_EQ(batch[i].forward_passes, single.forward_passes) << i;
    EXPECT_EQ(batch[i].rows, single.rows) << i;
  }
}

TEST(Generate, TheCanvasMayHaveModelOverridesBetweenMasks) {
  auto model = load("llada-tiny");
  Request r = request(model, 20, 16, 16, 18);
  r.tokens[4] = r.tokens[9] = model.config.mask_id;
  r.prompt_length = 4;  // everything from the first mask on is canvas
  r.block_length = r.gen_length();
  const Result result = run(model, r);
  EXPECT_EQ(result.masks_left, 0);
  EXPECT_NE(result.tokens[4], model.config.mask_id);
  EXPECT_EQ(result.tokens[5], r.tokens[5]);
}

TEST(Generate, StopsEarlyAsSoonAsEverythingBeforeTheEndIsSettled) {
  auto model = load("llada-tiny");
  Request r = request(model, 20, 32, 8, 32);
  r.eos_ids = {run(model, r).tokens[32]};  // a token of the second block ends the text
  std::optional<int> settled;              // the first step after which nothing can change
  const Result whole = run(model, r, [&](const StepEvent& e) {
    const auto generated = e.tokens.subspan(20);
    const auto end = std::find(generated.begin(), generated.end(), r.eos_ids[0]);
    if (!settled && end != generated.end() &&
        std::find(generated.begin(), end, model.config.mask_id) == end) {
      settled = e.step;
    }
    return true;
  });
  ASSERT_TRUE(settled.has_value());
  ASSERT_LT(*settled, 31);
  EXPECT_EQ(whole.steps, 32);
  EXPECT_FALSE(whole.stopped_early);

  r.early_stop = true;
  const Result stopped = run(model, r);
  EXPECT_TRUE(stopped.stopped_early);
  EXPECT_EQ(stopped.steps, *settled + 1);
  EXPECT_EQ(stopped.forward_passes, *settled + 1);
  EXPECT_EQ(stopped.answer, whole.answer);
  EXPECT_EQ(stopped.masks_left, 0);
  EXPECT_TRUE(std::equal(stopped.tokens.begin(), stopped.tokens.begin() + whole.answer.end,
                         whole.tokens.begin()));
}

TEST(Generate, SuppressedEndTokensNeverAppear) {
  auto model = load("llada-tiny");
  Request r = request(model, 20, 32, 32, 16);
  r.eos_ids = {run(model, r).tokens[25]};
  r.sampler.suppress_eos = true;
  const Result result = run(model, r);
  EXPECT_EQ(std::count(result.tokens.begin() + 20, result.tokens.end(), r.eos_ids[0]), 0);
  EXPECT_EQ(result.answer, (Range{20, 52}));
}

TEST(Generate, AttachedEndTokensAreDecidedWhereTheTextReachesThem) {
  auto model = load("llada-tiny");
  Request r = request(model, 20, 32, 32, 32);
  r.eos_ids = {run(model, r).tokens[40]};
  // Decisions of the first end token while a mask stands before it.
  const auto apart = [&] {
    int count = 0;
    bool ended = false;
    std::vector<TokenId> before = r.tokens;
    run(model, r, [&](const StepEvent& e) {
      for (const Decision& d : e.decided) {
        const bool ends = d.token == r.eos_ids[0];
        const TokenId left = before[static_cast<size_t>(d.position) - 1];
        count += ends && !ended && left == model.config.mask_id && d.confidence > 0 ? 1 : 0;
        ended |= ends;
      }
      before.assign(e.tokens.begin(), e.tokens.end());
      return true;
    });
    return count;
  };
  EXPECT_EQ(apart(), 1);
  r.sampler.attach_eos = true;
  EXPECT_EQ(apart(), 0);
  EXPECT_EQ(run(model, r).masks_left, 0);
}

TEST(Generate, StepsWithNothingToDecideCostNothing) {
  auto model = load("llada-tiny");
  const Request r = request(model, 10, 8, 8, 20);  // 8 tokens in 20 steps
  const Result result = run(model, r);
  EXPECT_EQ(result.steps, 20);
  EXPECT_EQ(result.forward_passes, 8);
  EXPECT_EQ(result.rows, 8 * 18);
}

TEST(Generate, CachedStepsWithNothingToDecideCostNothing) {
  auto model = load("llada-tiny");
  Request r = request(model, 10, 8, 8, 20);
  for (const char* method : {"sparse-dllm", "fast-dllm:cache=dual", "streaming-dllm:window=2"}) {
    r.method = method;
    EXPECT_EQ(run(model, r).steps, 20);
    EXPECT_EQ(run(model, r).forward_passes, 8) << method;
  }
}

TEST(Generate, CanBeCancelled) {
  auto model = load("llada-tiny");
  const Request r = request(model, 10, 16, 16, 16);
  const Result result = run(model, r, [](const StepEvent& e) { return e.step < 3; });
  EXPECT_TRUE(result.cancelled);
  EXPECT_EQ(result.steps, 4);
  EXPECT_EQ(result.masks_left, 12);
}

TEST(Generate, RefusesImpossibleRequests) {
  auto model = load("llada-tiny");
  const auto reason = [&](const std::function<void(Request&)>& spoil) {
    Request r = request(model, 10, 32, 16, 16);
    spoil(r);
    try {
      run(model, r);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  EXPECT_EQ(reason([](Request&) {}), "accepted");
  EXPECT_EQ(reason([](Request& r) { r.block_length = 10; }), "accepted");
  EXPECT_NE(reason([](Request& r) { r.block_length = 0; }).find("block length"), std::string::npos);
  EXPECT_NE(reason([](Request& r) { r.block_length = 33; }).find("1 to 32"), std::string::npos);
  EXPECT_NE(reason([](Request& r) { r.steps = 1; }).find("at least 2"), std::string::npos);
  EXPECT_NE(reason([](Request& r) { r.steps = 0; }).find("steps"), std::string::npos);
  EXPECT_NE(reason([](Request& r) { r.tokens[0] = 512; }).find("512"), std::string::npos);
  EXPECT_NE(reason([](Request& r) { r.tokens[0] = -1; }).find("-1"), std::string::npos);
  EXPECT_NE(reason([](Request& r) { r.cfg_scale = -1; }).find("guidance"), std::string::npos);
  EXPECT_NE(reason([](Request& r) { r.method = "none"; }).find("full"), std::string::npos);
  EXPECT_NE(reason([](Request& r) { r.method = "full:x=1"; }).find("'x'"), std::string::npos);
  EXPECT_THROW(append_masks({1}, 0, 500), Error);
}

}  // namespace
}  // namespace unmask
