// Prompts that are computed ahead of the text, chunk by chunk, and shared between requests.
#include <algorithm>
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "generate/prefix_pool.h"
#include "support/block_causal.h"

namespace unmask {
namespace {

using testing::BlockCausal;
using testing::LoadedModel;

constexpr int kChunk = 8;
constexpr size_t kPlenty = size_t{1} << 30;

LoadedModel load_checkpoint(const std::string& name) {
  return {std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + name, create_cpu_backend({.threads = 1})};
}

Request ask_for(const LoadedModel& model, const std::string& options, int prompt, int length = 24,
                int seed = 0) {
  Request r =
      testing::method_request(model, "fast-dllm:" + options, prompt, length, kChunk, length);
  // Prompts of one seed begin alike.
  for (int p = 0; p < prompt; ++p) r.tokens[static_cast<size_t>(p)] = (p * 37 + seed * 11) % 400;
  return r;
}

Result answer(LoadedModel& model, const Request& r, PrefixPool* pool = nullptr,
              const StepCallback& on_step = {}) {
  Engine engine(model.transformer, {.prefixes = pool});
  const RequestId id = engine.submit(r, on_step);
  while (engine.step()) {
  }
  return engine.take(id);
}

TEST(PromptChunk, SeesWhatABlockCausalModelWouldSee) {
  // Of one block behind whole chunks nothing else is left: chunks are that model's blocks.
  for (const std::string name : {"llada-tiny", "dream-tiny"}) {
    const int shift = name == "dream-tiny" ? 1 : 0;
    for (const int chunks : {1, 3, 5}) {
      auto model = load_checkpoint(name);
      BlockCausal causal(name, kChunk);
      const int prompt = chunks * kChunk;
      const Request r = ask_for(model, "cache=dual,prompt_chunk=8", prompt, kChunk);
      Request same = causal.request("block-cache", prompt, kChunk, kChunk, kChunk);
      same.tokens = r.tokens;
      const Result result = answer(model, r);
      if (shift == 0) {
        EXPECT_EQ(result.tokens, causal.run(same).tokens) << name << chunks;
      } else {  // its last chunk is left to the text, whose first position that one predicts
        EXPECT_EQ(result.masks_left, 0);
      }
    }
  }
}

TEST(PromptChunk, LongerThanThePromptIsNone) {
  for (const char* name : {"llada-tiny", "dream-tiny"}) {
    auto model = load_checkpoint(name);
    for (const char* cache : {"cache=dual", "cache=prefix", "cache=dual,refresh=window"}) {
      const Result plain = answer(model, ask_for(model, cache, 21));
      const Result chunked =
          answer(model, ask_for(model, std::string(cache) + ",prompt_chunk=22", 21));
      EXPECT_EQ(chunked.tokens, plain.tokens) << name << cache;
      EXPECT_EQ(chunked.rows, plain.rows) << name << cache;
    }
  }
}

TEST(PromptChunk, CostsNoRowsAndItsStepsSayAll) {
  auto model = load_checkpoint("llada-tiny");
  const Result plain = answer(model, ask_for(model, "cache=dual", 45));
  int64_t rows = 0;
  int steps = 0;
  const Result chunked = answer(model, ask_for(model, "cache=dual,prompt_chunk=8", 45), nullptr,
                                [&](const StepEvent& event) {
                                  rows += event.rows;
                                  EXPECT_EQ(event.step, steps++);
                                  return true;
                                });
  EXPECT_EQ(chunked.rows, plain.rows);
  EXPECT_EQ(chunked.rows, rows);
  EXPECT_EQ(chunked.steps, plain.steps);
  EXPECT_EQ(chunked.forward_passes, plain.forward_passes + 5);
}

TEST(PromptChunk, GoesWithGuidanceAndGrowth) {
  auto model = load_checkpoint("llada-tiny");
  Request r = ask_for(model, "cache=dual,prompt_chunk=8", 29, 16);
  r.cfg_scale = 0.5;
  r.most_length = 40;
  const Result result = answer(model, r);
  EXPECT_EQ(result.masks_left, 0);
  EXPECT_EQ(result.tokens.size(), 69U);
}

TEST(PromptChunk, ASecondTurnReadsWhatIsNew) {
  for (const char* name : {"llada-tiny", "dream-tiny"}) {
    auto model = load_checkpoint(name);
    const char* options = "cache=dual,refresh=window,prompt_chunk=8";
    PrefixPool pool(kPlenty);
    const Result first = answer(model, ask_for(model, options, 100), &pool);
    EXPECT_EQ(first.reused, 0);
    Request second = ask_for(model, options, 150);
    std::copy_n(first.tokens.begin(), 124, second.tokens.begin());
    const Result alone = answer(model, second);
    const Result shared = answer(model, second, &pool);
    EXPECT_EQ(shared.tokens, alone.tokens) << name;
    EXPECT_EQ(shared.reused, 96) << name;
    EXPECT_EQ(shared.rows, alone.rows - 96) << name;
    EXPECT_EQ(answer(model, second, &pool).reused, 144) << "whole chunks of all of it";
  }
}

TEST(PromptChunk, LeavesTheRowThatPredictsTheTextToIt) {
  auto model = load_checkpoint("dream-tiny");
  PrefixPool pool(kPlenty);
  const Request r = ask_for(model, "cache=dual,prompt_chunk=8", 32);
  const Result alone = answer(model, r);
  answer(model, ask_for(model, "cache=dual,prompt_chunk=8", 48), &pool);
  const Result shared = answer(model, r, &pool);
  EXPECT_EQ(shared.tokens, alone.tokens);
  EXPECT_EQ(shared.reused, 24);
}

TEST(PromptChunk, ChunksOfAnotherSizeAreOthers) {
  auto model = load_checkpoint("llada-tiny");
  PrefixPool pool(kPlenty);
  answer(model, ask_for(model, "cache=dual,prompt_chunk=8", 48), &pool);
  for (const char* options : {"cache=dual,prompt_chunk=16", "cache=dual", "cache=prefix"}) {
    const Request r = ask_for(model, options, 48);
    const Result shared = answer(model, r, &pool);
    EXPECT_EQ(shared.reused, 0) << options;
    EXPECT_EQ(shared.tokens, answer(model, r).tokens) << options;
  }
}

/// Requests that share beginnings, some of whose later blocks compute their prompt once more.
std::vector<Request> mixed_requests(const LoadedModel& model, std::mt19937& random) {
  std::vector<Request> requests;
  for (int i = 0; i < 12; ++i) {
    const char* const refresh = i % 3 == 0 ? "cache=dual,prompt_chunk=8"
                                : i % 3 == 1
                                    ? "cache=dual,refresh=window,full_every=2,prompt_chunk=8"
                                    : "cache=prefix,prompt_every=9,prompt_chunk=16";
    requests.push_back(ask_for(model, refresh, 20 + static_cast<int>(random() % 40), 24, i % 2));
    if (i % 4 == 1) requests.back().sampler.threshold = 0.3;
  }
  return requests;
}

TEST(PromptChunk, WhatOthersAskedChangesNoText) {
  auto model = load_checkpoint("llada-tiny");
  std::mt19937 random(7);
  const std::vector<Request> requests = mixed_requests(model, random);
  std::vector<Result> alone;
  for (const Request& r : requests) alone.push_back(answer(model, r));
  int reused = 0;
  for (int round = 0; round < 8; ++round) {
    PrefixPool pool(round % 2 == 0 ? kPlenty : 20'000);
    Engine engine(model.transformer, {.max_running = 1 + round % 4, .prefixes = &pool});
    std::vector<std::pair<RequestId, size_t>> ids;
    for (int i = 0; i < 12; ++i) {
      const size_t which = random() % requests.size();
      ids.emplace_back(engine.submit(requests[which]), which);
      for (size_t s = random() % 12; s > 0; --s) engine.step();
      if (random() % 5 == 0) engine.cancel(ids.back().first);
    }
    while (engine.step()) {
    }
    for (const auto& [id, which] : ids) {
      const Result r = engine.take(id);
      reused += r.reused;
      EXPECT_TRUE(r.cancelled || r.tokens == alone[which].tokens) << round << ' ' << which;
    }
  }
  EXPECT_GT(reused, 500);
}

}  // namespace
}  // namespace unmask
