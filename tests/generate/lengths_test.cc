// Canvases of any length, steps of any number, and canvases that grow.
#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <string>
#include <vector>

#include "core/error.h"
#include "generate/engine.h"
#include "methods/registry.h"
#include "support/method_requests.h"

namespace unmask {
namespace {

using testing::LoadedModel;
using testing::method_request;

LoadedModel load_model(const std::string& name) {
  return {std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + name, create_cpu_backend({.threads = 1})};
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

/// Methods of every kind, in settings where nothing that they keep is ever old or left out.
std::vector<std::string> exact_settings(const LoadedModel& model) {
  std::vector<std::string> list{"sparsed:skip=0,select=1,block=8",
                                "sliding-window:window=400,block=8",
                                "streaming-llm:window=400,block=8,skip=0.5",
                                "dkv-cache:refresh=1",
                                "dllm-cache:prompt_interval=1,gen_interval=1",
                                "dkv-cache:refresh=1+sparsed:skip=0,select=1,block=8"};
  if (model.config.family == Family::llada) {
    list.emplace_back("dkv-cache:variant=greedy,refresh=1");
  }
  return list;
}

/// Two blocks that may grow to nearly five; with a threshold, which a sliding block needs.
Request growing(const LoadedModel& model, const std::string& method) {
  Request r = method_request(model, method, 9, 16, 8, 16);
  if (method.starts_with("dsb")) r.sampler.threshold = 0.3;
  r.most_length = 37;
  return r;
}

TEST(Growth, IsThatOfFullWhereNothingIsOldOrLeftOut) {
  for (const char* name : {"llada-tiny", "dream-tiny"}) {
    auto model = load_model(name);
    for (const std::string& method : exact_settings(model)) {
      for (const double end_in_sight : {0.0, 0.5}) {
        Request r = growing(model, method);
        r.end_in_sight = end_in_sight;
        const Result grown = run_request(model, r);
        r.method = "full";
        EXPECT_EQ(grown.tokens, run_request(model, r).tokens) << name << ' ' << method;
      }
    }
  }
}

TEST(Growth, EveryMethodGrowsOnItsOwnTerms) {
  for (const char* name : {"llada-tiny", "dream-tiny"}) {
    auto model = load_model(name);
    std::vector<std::string> methods = testing::methods_of(name);
    for (const char* more : {"sparsed:skip=0,select=0.3,block=8", "dsb", "dsb:prefix=0",
                             "sliding-window:window=16,block=8"}) {
      methods.emplace_back(more);
    }
    for (const std::string& method : methods) {
      Request r = growing(model, method);
      r.end_in_sight = 0.5;
      const Result grown = run_request(model, r);
      EXPECT_EQ(grown.tokens.size(), 46U) << name << ' ' << method;
      EXPECT_EQ(grown.masks_left, 0) << name << ' ' << method;
      EXPECT_EQ(run_request(model, r).tokens, grown.tokens) << name << ' ' << method;
    }
  }
}

TEST(Growth, FromTheWholeCanvasIsNone) {
  for (const char* name : {"llada-tiny", "dream-tiny"}) {
    auto model = load_model(name);
    for (const std::string& method : testing::methods_of(name)) {
      Request r = method_request(model, method, 9, 24, 8, 24);
      const Result fixed = run_request(model, r);
      r.most_length = 24;
      r.end_in_sight = 0.5;
      const Result grown = run_request(model, r);
      EXPECT_EQ(grown.tokens, fixed.tokens) << name << ' ' << method;
      EXPECT_EQ(grown.rows, fixed.rows) << name << ' ' << method;
    }
  }
}

/// Lengths of the canvas by block.
std::map<int, size_t> lengths_by_block(LoadedModel& model, const Request& request) {
  std::map<int, size_t> lengths;
  run_request(model, request, [&](const StepEvent& event) {
    lengths.try_emplace(event.block.begin, event.tokens.size());
    return true;
  });
  return lengths;
}

TEST(Growth, StaysAheadOfATextWhoseEndIsNotInSight) {
  auto model = load_model("llada-tiny");
  for (const char* method : {"full", "fast-dllm:cache=dual", "sparse-dllm"}) {
    Request r = growing(model, method);
    r.end_in_sight = 0.5;  // no token ends the text, so none is in sight
    EXPECT_EQ(lengths_by_block(model, r),
              (std::map<int, size_t>{{9, 25}, {17, 33}, {25, 41}, {33, 46}, {41, 46}}));
    r.end_in_sight = 0;
    EXPECT_EQ(lengths_by_block(model, r),
              (std::map<int, size_t>{{9, 25}, {17, 25}, {25, 33}, {33, 41}, {41, 46}}));
  }
}

TEST(Growth, WaitsWhereTheEndIsInSight) {
  auto model = load_model("llada-tiny");
  Request r = growing(model, "fast-dllm:cache=dual");
  const Result blind = run_request(model, r);
  for (TokenId id = 0; id < model.config.vocab_size; ++id) r.eos_ids.push_back(id);
  r.end_in_sight = 1e-9;  // whatever the model expects there is an end
  const Result result = run_request(model, r);
  EXPECT_EQ(result.tokens.size(), 25U) << "full and ended";
  EXPECT_TRUE(std::equal(result.tokens.begin(), result.tokens.end(), blind.tokens.begin()));
}

TEST(Growth, FeedsNoBlockBehindASettledEnd) {
  auto model = load_model("llada-tiny");
  for (const char* method : {"full", "fast-dllm:cache=dual", "dkv-cache", "sparsed"}) {
    Request r = method_request(model, method, 9, 16, 8, 16);
    const Result fixed = run_request(model, r);
    r.eos_ids = {fixed.tokens[12]};
    r.early_stop = true;
    const Result ended = run_request(model, r);
    ASSERT_LT(ended.rows, fixed.rows) << method;
    r.most_length = 4096;
    const Result grown = run_request(model, r);
    EXPECT_EQ(grown.tokens, ended.tokens) << method;
    EXPECT_EQ(grown.rows, ended.rows) << method;
  }
}

TEST(Growth, LooksAheadWithoutPassesOrRowsOfItsOwn) {
  auto model = load_model("llada-tiny");
  Request r = method_request(model, "fast-dllm:cache=dual", 9, 16, 8, 16);
  const Result fixed = run_request(model, r);
  r.most_length = 24;
  r.end_in_sight = 1e-9;
  for (TokenId id = 0; id < model.config.vocab_size; ++id) r.eos_ids.push_back(id);
  const Result grown = run_request(model, r);
  EXPECT_EQ(grown.forward_passes, fixed.forward_passes);
  EXPECT_EQ(grown.rows, fixed.rows);
}

TEST(Growth, ShrinksNothing) {
  auto model = load_model("llada-tiny");
  Request r = method_request(model, "full", 9, 16, 8, 16);
  r.most_length = 8;
  EXPECT_THROW(run_request(model, r), Error);
  r.most_length = 32;
  r.end_in_sight = 1.5;
  EXPECT_THROW(run_request(model, r), Error);
}

}  // namespace
}  // namespace unmask
