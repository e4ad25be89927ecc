// Laws of the methods that restrict attention: SparseD, sliding window and StreamingLLM.
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <numeric>
#include <random>

#include "core/error.h"
#include "generate/engine.h"
#include "generate/sequence.h"
#include "methods/column_choice.h"
#include "methods/sparsed.h"
#include "support/model_fixture.h"
#include "support/random_tensor.h"

namespace unmask {
namespace {

testing::LoadedModel load_model(const std::string& name, int threads = 2) {
  return {std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + name,
          create_cpu_backend({.threads = threads})};
}

Request request(const testing::LoadedModel& model, int prompt_length, int gen_length,
                const std::string& method) {
  std::vector<TokenId> prompt;
  for (int i = 0; i < prompt_length; ++i) prompt.push_back((i * 37 + 11) % 400);
  Request r = append_masks(prompt, gen_length, model.config.mask_id);
  r.steps = std::max(1, gen_length / 2);
  r.method = method;
  if (model.config.family == Family::dream) r.sampler.algorithm = Algorithm::entropy;
  return r;
}

Result run_request(testing::LoadedModel& model, const Request& r) {
  return generate(model.transformer, std::span(&r, 1))[0];
}

const std::vector<std::string> kMethods{"sparsed:skip=0,select=0.2,block=8",
                                        "sparsed:skip=0,select=0.3,block=16,every=3,scale=paper",
                                        "sparsed:skip=0.2,coverage=0.7,block=8,isolated=false",
                                        "sparsed:skip=0,select=0.2,block=8,reuse=false",
                                        "sparsed:skip=0,select=0.1,block=8,own=true",
                                        "sparsed:skip=0,select=0.1,block=8,unit=column",
                                        "sparsed:skip=0,coverage=0.5,block=16,unit=column",
                                        "sliding-window:window=16,block=8",
                                        "streaming-llm:window=16,sinks=9,block=8,skip=0.25"};

TEST(SparseMethods, KeepingEverythingEqualsFullAttention) {
  for (const char* name : {"llada-tiny", "dream-tiny"}) {
    auto model = load_model(name);
    const auto full = run_request(model, request(model, 37, 24, "full"));
    for (const char* method :
         {"sparsed:select=1,skip=0,block=8", "sparsed:select=1,skip=0,block=16,every=2",
          "sparsed:select=1,skip=0.3,block=32,isolated=false", "sparsed:coverage=1,skip=0,block=8",
          "sparsed:select=1,skip=0,block=16,unit=column", "sparsed:coverage=1,skip=0,unit=column",
          "sparsed:select=0.1,skip=1", "sparsed:select=1,skip=0,block=8,reuse=false",
          "sliding-window:window=200", "sliding-window:share=1",
          "streaming-llm:window=1,sinks=200,block=8", "sliding-window:window=1,block=8,skip=1"}) {
      EXPECT_EQ(run_request(model, request(model, 37, 24, method)).tokens, full.tokens) << method;
    }
  }
}

TEST(SparseMethods, RestrictingAttentionChangesTheText) {
  auto model = load_model("llada-tiny");
  const auto full = run_request(model, request(model, 61, 32, "full"));
  for (const std::string& method : kMethods) {
    EXPECT_NE(run_request(model, request(model, 61, 32, method)).tokens, full.tokens) << method;
  }
}

TEST(SparseMethods, PatternsFollowTheStepsWithoutReuse) {
  auto model = load_model("llada-tiny");
  const auto tokens = [&](const char* options) {
    return run_request(model, request(model, 61, 32,
                                      fmt::format("sparsed:skip=0,select=0.2,block=8{}", options)))
        .tokens;
  };
  EXPECT_NE(tokens(",reuse=false"), tokens(""));
  EXPECT_EQ(tokens(",reuse=true"), tokens(""));
}

TEST(SparseMethods, AWindowCanBeAShareOfTheSequence) {
  auto model = load_model("llada-tiny");
  const auto tokens = [&](const char* options) {
    return run_request(model,
                       request(model, 68, 32, fmt::format("sliding-window:block=8,{}", options)))
        .tokens;
  };
  EXPECT_EQ(tokens("share=0.25"), tokens("window=25"));
  EXPECT_NE(tokens("share=0.5"), tokens("window=25"));
}

TEST(SparseMethods, ThreadsNeverChangeAToken) {
  auto one = load_model("llada-tiny", 1);
  auto three = load_model("llada-tiny", 3);
  for (const std::string& method : kMethods) {
    const Request r = request(one, 45, 32, method);
    EXPECT_EQ(run_request(one, r).tokens, run_request(three, r).tokens) << method;
  }
}

TEST(SparseMethods, EveryLengthAroundTheBordersOfBlocksWorks) {
  for (const char* name : {"llada-tiny", "dream-tiny"}) {
    auto model = load_model(name);
    for (const std::string& method : kMethods) {
      for (const int prompt : {0, 1, 7, 8, 17}) {
        for (const int gen : {1, 8, 9}) {
          const Result result = run_request(model, request(model, prompt, gen, method));
          EXPECT_EQ(result.masks_left, 0) << method << " " << prompt << "+" << gen;
        }
      }
    }
  }
}

TEST(SparseMethods, ABatchEqualsItsSingleRuns) {
  auto model = load_model("dream-tiny");
  std::vector<Request> requests;
  int length = 10;
  for (const std::string& method : kMethods) {
    requests.push_back(request(model, length += 13, 24, method));
    requests.push_back(request(model, length, 16, "full"));
  }
  requests[0].cfg_scale = 1;
  requests[2].cfg_scale = 0.5;
  const std::vector<Result> batch = generate(model.transformer, requests);
  for (size_t i = 0; i < requests.size(); ++i) {
    const Result single = run_request(model, requests[i]);
    EXPECT_EQ(batch[i].tokens, single.tokens) << i;
    EXPECT_EQ(batch[i].rows, single.rows) << i;
  }
}

TEST(SparseMethods, BlocksOfManyStepsMeasureEvenWhereNothingIsDue) {
  auto model = load_model("llada-tiny");
  // 8 tokens in 32 steps: most steps have nothing to decide, among them the measuring ones.
  for (const char* skip : {"0", "0.1", "0.3", "0.7"}) {
    Request r = request(model, 40, 16, fmt::format("sparsed:block=8,every=5,skip={}", skip));
    r.block_length = 8;
    r.steps = 64;
    const Result result = run_request(model, r);
    EXPECT_EQ(result.masks_left, 0) << skip;
    EXPECT_GT(result.forward_passes, 16) << skip;
    EXPECT_LT(result.forward_passes, 64) << skip;
  }
}

TEST(SparseMethods, RefusesOptionsOutOfTheirRange) {
  const ModelConfig config;
  for (const char* wrong :
       {"sparsed:skip=2", "sparsed:select=-0.1", "sparsed:block=7", "sparsed:block=129",
        "sparsed:every=-1", "sparsed:coverage=1.5", "sparsed:scale=other", "sparsed:isolated=1",
        "sparsed:unit=row", "sparsed:unit=column,own=true", "sparsed:unit=column,scale=paper",
        "sparsed:sinks=1", "sliding-window:sinks=1", "sliding-window:window=0",
        "streaming-llm:sinks=-1", "streaming-llm:block=0"}) {
    EXPECT_THROW(create_method(wrong, {config, 0}), Error) << wrong;
  }
  EXPECT_EQ(create_method("sliding-window", {config, 0})->name(), "sliding-window");
  EXPECT_EQ(create_method("streaming-llm:sinks=0", {config, 0})->name(), "streaming-llm");
}

/// What sparsed:block=8,skip=0 with these options measures of a prompt of 100 and 28 tokens.
std::vector<BlockPattern> measured_patterns(testing::LoadedModel& model,
                                            const std::string& options) {
  const Request r = request(model, 100, 28, "sparsed:block=8,skip=0," + options);
  Sequence sequence(r, model.config);
  std::vector<BlockPattern> patterns;
  while (sequence.step_index() < 2) {
    SequencePass slice = sequence.plan();
    model.transformer.forward(std::span(&slice, 1));
    patterns = dynamic_cast<SparseD&>(*slice.method).patterns();
    sequence.apply(std::vector<TokenStats>(sequence.candidates().size()), {});
  }
  return patterns;
}

TEST(SparseMethods, TheScaleOfTheRankingFollowsFamilyAndOption) {
  auto model = load_model("llada-tiny");  // 4 heads of 32
  EXPECT_NE(measured_patterns(model, "scale=released"), measured_patterns(model, "scale=paper"));
}

/// What the queries of one block pay to every key, in one key head, by plain loops.
std::vector<double> paid(Tensor q, Tensor k, Range queries, int head) {
  constexpr int kDim = 32;
  std::vector<double> mass(static_cast<size_t>(k.rows));
  for (int r = queries.begin; r < queries.end; ++r) {
    std::vector<double> weights;
    double sum = 0;
    for (int j = 0; j < k.rows; ++j) {
      double score = 0;
      for (int d = 0; d < kDim; ++d) {
        score += static_cast<double>(q.f32(r)[head * kDim + d]) * k.f32(j)[head * kDim + d];
      }
      weights.push_back(std::exp(score / std::sqrt(kDim)));
      sum += weights.back();
    }
    for (size_t j = 0; j < mass.size(); ++j) mass[j] += weights[j] / sum;
  }
  return mass;
}

TEST(ColumnChoice, KeepsThePromptsMostAttendedKeysAndAllOfTheGeneration) {
  auto model = load_model("llada-tiny");
  std::mt19937 random(5);
  constexpr int kPrompt = 50;
  constexpr int kLength = 70;
  const testing::RandomTensor q(random, kLength, 4 * 32, 3);
  const testing::RandomTensor k(random, kLength, 4 * 32, 2);
  const std::vector<TokenId> tokens(kLength, 1);
  std::vector<int> all(kLength);
  std::iota(all.begin(), all.end(), 0);
  KvStore store;
  Step step;
  step.prompt_length = kPrompt;
  step.tokens = tokens;
  const HeadShape shape{4, 4, 32};
  const AttendScope scope{.layer = 0,
                          .step = step,
                          .backend = *model.backend,
                          .store = store,
                          .shape = shape,
                          .positions = all,
                          .query_positions = all,
                          .q = q.view(),
                          .k = k.view(),
                          .v = k.view()};
  const BlockPattern shares = choose_columns(scope, 16, {.select = 0.2});
  const BlockPattern covering = choose_columns(scope, 16, {.coverage = 0.6});
  ASSERT_TRUE(shares.complete());
  EXPECT_EQ(shares.key_size(), 1);
  for (int head = 0; head < 4; ++head) {
    for (int block = 0; block < 5; ++block) {
      const Range queries{block * 16, std::min(kLength, block * 16 + 16)};
      const std::vector<double> mass = paid(q.view(), k.view(), queries, head);
      const int ranked = queries.end > kPrompt ? kPrompt : kLength;  // keys that compete
      const auto list = shares.list(head, block);
      EXPECT_EQ(static_cast<int>(list.size()), ranked / 5 + kLength - ranked);
      double least = 2;
      double sum = 0;
      for (const uint16_t p : list) {
        if (p < ranked) least = std::min(least, mass[p]);
      }
      for (int p = 0; p < ranked; ++p) {
        const bool kept = std::ranges::binary_search(list, p);
        EXPECT_TRUE(kept || mass[static_cast<size_t>(p)] <= least + 1e-5) << head << " " << p;
        sum += mass[static_cast<size_t>(p)];
      }
      for (int p = ranked; p < kLength; ++p) EXPECT_TRUE(std::ranges::binary_search(list, p));
      double held = 0;
      double smallest = 2;
      for (const uint16_t p : covering.list(head, block)) {
        if (p >= ranked) continue;
        held += mass[p];
        smallest = std::min(smallest, mass[p]);
      }
      EXPECT_GE(held, 0.6 * sum - 1e-4);
      EXPECT_LT(held - smallest, 0.6 * sum + 1e-4) << "one key less would do";
    }
  }
}

TEST(SparseMethods, TheGenerationMayReadAllOfItself) {
  auto model = load_model("llada-tiny");
  const auto ranked = measured_patterns(model, "select=0.2");
  const auto own = measured_patterns(model, "select=0.2,own=true");
  ASSERT_EQ(ranked.size(), own.size());
  constexpr int kFirst = 12;  // positions 96 to 103, the last four of the generation
  for (size_t layer = 0; layer < own.size(); ++layer) {
    ASSERT_TRUE(own[layer].complete());
    for (int head = 0; head < own[layer].n_heads(); ++head) {
      for (int query = 0; query < own[layer].n_blocks(); ++query) {
        const auto before = ranked[layer].list(head, query);
        std::vector<uint16_t> expected(before.begin(), before.end());
        if (query >= kFirst) {
          std::erase_if(expected, [](uint16_t block) { return block >= kFirst; });
          for (int block = kFirst; block < own[layer].n_blocks(); ++block) {
            expected.push_back(static_cast<uint16_t>(block));
          }
        }
        const auto list = own[layer].list(head, query);
        EXPECT_EQ(std::vector<uint16_t>(list.begin(), list.end()), expected);
      }
    }
  }
  EXPECT_GT(own[0].density(), ranked[0].density());
}

}  // namespace
}  // namespace unmask
