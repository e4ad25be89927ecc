// Canvases of any length, steps of any number, and canvases that grow.
#include <algorithm>
#include <gtest/gtest.h>
#include <map>

#include "core/error.h"
#include "generate/engine.h"
#include "methods/registry.h"
#include "support/method_requests.h"

namespace unmask {
namespace {

using testing::LoadedModel;
using testing::method_request;

LoadedModel load_model(const std::string& name) {
  return {std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + name, create_cpu_backend({.threads = 2})};
}

Result run_request(LoadedModel& model, const Request& request, const StepCallback& on_step = {}) {
  return generate(model.transformer, {&request, 1}, on_step)[0];
}

/// Steps of each block, by where it begins.
std::map<int, int> steps_of_blocks(LoadedModel& model, const Request& request) {
  std::map<int, int> steps;
  run_request(model, request, [&](const StepEvent& event) {
    ++steps[event.block.begin];
    return true;
  });
  return steps;
}

TEST(Lengths, StepsAreSpreadOverBlocksOfAnyLength) {
  auto model = load_model("llada-tiny");
  const int prompt = 5;
  for (const auto& [length, block, steps] : {std::tuple{16, 8, 16},
                                             {19, 8, 19},
                                             {19, 8, 3},
                                             {19, 8, 7},
                                             {19, 19, 1},
                                             {17, 16, 2},
                                             {7, 3, 30}}) {
    SCOPED_TRACE(fmt::format("{} tokens in blocks of {}, {} steps", length, block, steps));
    const Request r = method_request(model, "full", prompt, length, block, steps);
    int sum = 0;
    for (const auto& [begin, count] : steps_of_blocks(model, r)) {
      EXPECT_EQ((begin - prompt) % block, 0);
      const int own = std::min(block, prompt + length - begin);
      EXPECT_NEAR(count, static_cast<double>(steps) * own / length, 1);
      sum += count;
    }
    EXPECT_EQ(sum, steps);
    EXPECT_EQ(run_request(model, r).masks_left, 0);
  }
}

TEST(Lengths, MethodsSayTheFewestStepsOfABlock) {
  for (const char* name : {"llada-tiny", "dream-tiny"}) {
    auto model = load_model(name);
    for (const std::string& method : testing::methods_of(name)) {
      if (method.starts_with("dkv") || method.starts_with("dllm")) continue;  // they leave no masks
      const int fewest = create_method(method, {model.config, 0})->fewest_steps();
      EXPECT_EQ(run_request(model, method_request(model, method, 9, 8, 8, fewest)).masks_left, 0)
          << name << ' ' << method;
      if (fewest == 1) continue;
      EXPECT_GT(run_request(model, method_request(model, method, 9, 8, 8, fewest - 1)).masks_left,
                0)
          << name << ' ' << method;
    }
  }
}

TEST(Lengths, EveryMethodTakesAShorterLastBlock) {
  for (const char* name : {"llada-tiny", "dream-tiny"}) {
    auto model = load_model(name);
    for (const std::string& method : testing::methods_of(name)) {
      const Result result = run_request(model, method_request(model, method, 9, 19, 8, 19));
      EXPECT_EQ(result.masks_left, 0) << name << ' ' << method;
      EXPECT_EQ(result.tokens.size(), 28U) << name << ' ' << method;
    }
  }
}

/// What growing is: one request after the other, each with the answer so far in its prompt.
std::vector<TokenId> chained(LoadedModel& model, Request request, int most) {
  const int block = request.block_length;
  const int prompt = request.prompt_length;
  std::vector<TokenId> tokens = run_request(model, request).tokens;
  while (static_cast<int>(tokens.size()) < prompt + most) {
    const int next = std::min(block, prompt + most - static_cast<int>(tokens.size()));
    Request more = append_masks(tokens, next, model.config.mask_id);
    more.sampler = request.sampler;
    more.method = request.method;
    tokens = run_request(model, more).tokens;
  }
  return tokens;
}

TEST(Growth, EqualsOneRequestAfterTheOther) {
  for (const char* name : {"llada-tiny", "dream-tiny"}) {
    auto model = load_model(name);
    for (const char* method :
         {"full", "fast-dllm", "fast-dllm:cache=dual", "sparse-dllm",
          "sparse-dllm:keep=0.3,kernel=1,delay=0", "streaming-dllm:window=6,alpha=0.5"}) {
      for (const bool sure : {false, true}) {
        Request r = method_request(model, method, 9, 16, 8, 16);
        if (sure) r.sampler.threshold = 0.3;
        const std::vector<TokenId> expected = chained(model, r, 37);
        r.most_length = 37;
        const Result grown = run_request(model, r);
        EXPECT_EQ(grown.tokens, expected) << name << ' ' << method;
        EXPECT_EQ(grown.masks_left, 0);
        EXPECT_EQ(grown.answer, (Range{9, 46}));
      }
    }
  }
}

TEST(Growth, IsCountedBeforehand) {
  auto model = load_model("llada-tiny");
  Request r = method_request(model, "full", 9, 16, 8, 8);
  r.most_length = 32;
  int total = 0;
  const Result result = run_request(model, r, [&](const StepEvent& event) {
    total = event.total_steps;
    return true;
  });
  EXPECT_EQ(total, 16) << "two tokens a step, as in the blocks that were asked for";
  EXPECT_EQ(result.steps, total);
}

TEST(Growth, EndsWithTheText) {
  auto model = load_model("llada-tiny");
  Request r = method_request(model, "full", 9, 16, 8, 16);
  r.most_length = 64;
  const std::vector<TokenId> whole = run_request(model, r).tokens;
  for (const int at : {12, 30}) {  // in the canvas that was asked for, and in what it grew by
    r.eos_ids = {whole[static_cast<size_t>(9 + at)]};
    const auto first = std::find(whole.begin() + 9, whole.end(), r.eos_ids[0]) - whole.begin();
    for (const bool early : {false, true}) {
      r.early_stop = early;
      const Result result = run_request(model, r);
      EXPECT_EQ(result.answer.end, first);
      EXPECT_LT(result.tokens.size(), whole.size());
    }
  }
}

TEST(Growth, GuidanceGrowsWithIt) {
  auto model = load_model("llada-tiny");
  Request r = method_request(model, "fast-dllm:cache=dual", 9, 8, 8, 8);
  r.cfg_scale = 0.5;
  r.most_length = 24;
  const Result result = run_request(model, r);
  EXPECT_EQ(result.masks_left, 0);
  EXPECT_EQ(result.tokens.size(), 33U);
}

TEST(Growth, IsRefusedToMethodsThatMeasureTheWholeCanvas) {
  auto model = load_model("llada-tiny");
  for (const char* method :
       {"sparsed", "sliding-window", "dkv-cache", "dllm-cache", "sparse-dllm+sparsed"}) {
    Request r = method_request(model, method, 9, 16, 8, 16);
    r.most_length = 32;
    EXPECT_THROW(run_request(model, r), Error) << method;
  }
  Request r = method_request(model, "full", 9, 16, 8, 16);
  r.most_length = 8;
  EXPECT_THROW(run_request(model, r), Error) << "it cannot shrink";
}

}  // namespace
}  // namespace unmask
