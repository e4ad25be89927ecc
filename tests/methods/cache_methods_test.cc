// Laws that hold for every caching method on any request.
#include <gtest/gtest.h>
#include <random>

#include "generate/engine.h"
#include "support/method_requests.h"
#include "support/model_fixture.h"

namespace unmask {
namespace {

testing::LoadedModel load(const std::string& name, int threads = 2) {
  return {std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + name,
          create_cpu_backend({.threads = threads})};
}

using testing::method_request;
using testing::methods_of;

Result run(testing::LoadedModel& model, const Request& r) {
  return generate(model.transformer, std::span(&r, 1))[0];
}

TEST(CacheMethods, AnyNumberOfThreadsGivesTheSameTokens) {
  for (const std::string name : {"llada-tiny", "dream-tiny"}) {
    auto one = load(name, 1);
    auto three = load(name, 3);
    for (const std::string& method : methods_of(name)) {
      const Request r = method_request(one, method, 19, 32, 16, 32);
      EXPECT_EQ(run(one, r).tokens, run(three, r).tokens) << name << " " << method;
    }
  }
}

TEST(CacheMethods, ABatchOfDifferentMethodsEqualsItsSingleRuns) {
  for (const std::string name : {"llada-tiny", "dream-tiny"}) {
    auto model = load(name);
    std::vector<Request> requests;
    int prompt = 3;
    for (const std::string& method : methods_of(name)) {
      requests.push_back(method_request(model, method, prompt, 24, prompt % 2 == 0 ? 12 : 24, 24));
      prompt += 5;
    }
    requests.push_back(method_request(model, "full", 9, 16, 16, 8));
    requests[0].cfg_scale = 0.5;
    requests[6].cfg_scale = 0.5;
    const std::vector<Result> batch = generate(model.transformer, requests);
    for (size_t i = 0; i < requests.size(); ++i) {
      const Result single = run(model, requests[i]);
      EXPECT_EQ(batch[i].tokens, single.tokens) << name << " " << requests[i].method;
      EXPECT_EQ(batch[i].rows, single.rows) << name << " " << requests[i].method;
    }
  }
}

TEST(CacheMethods, AnySizesEndWithEverythingDecided) {
  std::mt19937 random(11);
  for (const std::string name : {"llada-tiny", "dream-tiny"}) {
    auto model = load(name);
    for (const std::string& method : methods_of(name)) {
      for (int round = 0; round < 5; ++round) {
        const int prompt = static_cast<int>(random() % 4) * 7;  // 0 too
        const int block = 1 + static_cast<int>(random() % 9);
        const int blocks = 1 + static_cast<int>(random() % 3);
        // Dream's full pass decides one token alone, so a block of several needs two steps.
        const int steps = 2 + static_cast<int>(random() % 6);
        Request r = method_request(model, method, prompt, block * blocks, block, steps * blocks);
        if (r.sampler.algorithm != Algorithm::random && round % 3 == 2) r.sampler.threshold = 0.3;
        if (round % 4 == 3) r.cfg_scale = 0.7;
        if (round % 4 == 1) r.tokens.back() = r.tokens[static_cast<size_t>(prompt)] = 7;
        EXPECT_EQ(run(model, r).masks_left, 0)
            << name << " " << method << " prompt " << prompt << " blocks " << blocks << " of "
            << block << " steps " << steps;
      }
    }
  }
}

TEST(CacheMethods, AMaskInThePromptDoesNoHarm) {
  for (const std::string name : {"llada-tiny", "dream-tiny"}) {
    auto model = load(name);
    for (const std::string& method : methods_of(name)) {
      for (const bool dynamic : {false, true}) {
        Request r = method_request(model, method, 12, 16, 8, 16);
        if (dynamic && r.sampler.algorithm == Algorithm::random) continue;
        if (dynamic) r.sampler.threshold = 0.3;
        r.tokens[5] = model.config.mask_id;
        EXPECT_NO_THROW(run(model, r)) << name << " " << method;
      }
    }
  }
}

TEST(CacheMethods, RefreshingEveryStepIsTheFullModel) {
  auto model = load("llada-tiny");
  const auto full = run(model, method_request(model, "full", 21, 32, 16, 32)).tokens;
  for (const char* method : {"dkv-cache:refresh=1", "dllm-cache:prompt_interval=1,gen_interval=1",
                             "sparse-dllm:keep=0.2,delay=16",
                             "dllm-cache:gen_interval=9,"
                             "prompt_interval=1,transfer=1"}) {
    EXPECT_EQ(run(model, method_request(model, method, 21, 32, 16, 32)).tokens, full) << method;
  }
}

TEST(CacheMethods, ReusingNothingLeavesTheFullModelInAnyBlock) {
  auto model = load("llada-tiny");
  for (const char* method : {"fast-dllm", "fast-dllm:cache=dual", "sparse-dllm:delay=0"}) {
    // One step a block: every pass is a full one.
    EXPECT_EQ(run(model, method_request(model, method, 21, 32, 8, 4)).tokens,
              run(model, method_request(model, "full", 21, 32, 8, 4)).tokens)
        << method;
  }
}

TEST(CacheMethods, KeepingTheWholeFirstPassIsTheDualCache) {
  auto model = load("llada-tiny");
  const Request sparse = method_request(model, "sparse-dllm:keep=1,delay=0", 21, 32, 16, 32);
  const Request dual = method_request(model, "fast-dllm:cache=dual", 21, 32, 16, 32);
  EXPECT_EQ(run(model, sparse).tokens, run(model, dual).tokens);
  EXPECT_EQ(run(model, sparse).rows, run(model, dual).rows);
}

TEST(CacheMethods, MaskKvThatKeepsAllIsSparseDllmThatKeepsAll) {
  for (const std::string name : {"llada-tiny", "dream-tiny"}) {
    auto model = load(name);
    const Request votes = method_request(model, "maskkv:keep=1", 21, 32, 16, 32);
    const Request scores = method_request(model, "sparse-dllm:keep=1", 21, 32, 16, 32);
    EXPECT_EQ(run(model, votes).tokens, run(model, scores).tokens) << name;
  }
}

TEST(CacheMethods, StreamingThatSeesTheWholeSuffixIsThePrefixCache) {
  for (const std::string name : {"llada-tiny", "dream-tiny"}) {
    auto model = load(name);
    for (const bool dynamic : {false, true}) {
      Request streaming = method_request(model, "streaming-dllm:window=32,alpha=0", 21, 32, 8, 32);
      Request prefix = method_request(model, "fast-dllm", 21, 32, 8, 32);
      if (dynamic) streaming.sampler.threshold = prefix.sampler.threshold = 0.2;
      EXPECT_EQ(run(model, streaming).tokens, run(model, prefix).tokens) << name;
      EXPECT_EQ(run(model, streaming).rows, run(model, prefix).rows) << name;
    }
  }
}

TEST(CacheMethods, StreamingComputesTheWindowAndTheLastPosition) {
  auto model = load("llada-tiny");
  // 4 blocks of 8 in 2 steps each behind 10 tokens; the suffixes are 8+1, 8+1, 8 and nothing.
  const Result r = run(model, method_request(model, "streaming-dllm:window=8", 10, 32, 8, 8));
  EXPECT_EQ(r.rows, (10 + 17 + 17) + (18 + 17 + 17) + (26 + 16 + 16) + (34 + 8 + 8));
}

TEST(CacheMethods, StreamingRelaxesTheThresholdWhileTheBlockFills) {
  auto model = load("llada-tiny");
  Request strict = method_request(model, "streaming-dllm:window=0,alpha=0", 21, 64, 32, 64);
  Request relaxed = method_request(model, "streaming-dllm:window=0,alpha=1", 21, 64, 32, 64);
  strict.sampler.threshold = relaxed.sampler.threshold = 0.9;
  EXPECT_LT(run(model, relaxed).steps, run(model, strict).steps);
}

TEST(CacheMethods, StreamingStopsAfterTheBlockWithAnEnd) {
  auto model = load("llada-tiny");
  Request r = method_request(model, "streaming-dllm:alpha=0", 13, 32, 8, 32);
  const std::vector<TokenId> whole = run(model, r).tokens;
  r.eos_ids = {whole[15]};  // in the first block
  const Result result = run(model, r);
  EXPECT_TRUE(result.stopped_early);
  EXPECT_EQ(result.steps, 8);
  EXPECT_EQ(result.tokens.back(), whole[15]);
  EXPECT_EQ(result.masks_left, 0);
}

TEST(CacheMethods, APatternThatSeesEverythingChangesNothing) {
  for (const std::string name : {"llada-tiny", "dream-tiny"}) {
    auto model = load(name);
    for (const std::string cache : {"sparse-dllm:keep=0.5", "fast-dllm", "dkv-cache:refresh=3"}) {
      for (const char* pattern : {"+sparsed:skip=0,select=1,block=8", "+sliding-window:window=99",
                                  "+sparsed:skip=1,select=0.1"}) {
        EXPECT_EQ(run(model, method_request(model, cache + pattern, 21, 32, 8, 32)).tokens,
                  run(model, method_request(model, cache, 21, 32, 8, 32)).tokens)
            << name << cache << pattern;
      }
    }
  }
}

TEST(CacheMethods, APatternInTheRefreshPassesChangesTheText) {
  auto model = load("llada-tiny");
  const auto text = [&](const std::string& method) {
    return run(model, method_request(model, method, 61, 64, 16, 64)).tokens;
  };
  EXPECT_NE(text("sparse-dllm+sparsed:skip=0,select=0.1,block=8"), text("sparse-dllm"));
  EXPECT_NE(text("sparse-dllm:score=random"), text("sparse-dllm"));
}

TEST(CacheMethods, RandomKeysFollowTheSeedOfTheRequest) {
  auto model = load("llada-tiny");
  const auto text = [&](uint64_t seed, double cfg_scale) {
    // Without temperature nothing but the method draws.
    Request r = method_request(model, "sparse-dllm:score=random,keep=0.3", 61, 32, 16, 32);
    r.sampler.seed = seed;
    r.cfg_scale = cfg_scale;
    return run(model, r).tokens;
  };
  for (const double cfg_scale : {0.0, 0.7}) {
    EXPECT_EQ(text(1, cfg_scale), text(1, cfg_scale));
    EXPECT_NE(text(1, cfg_scale), text(2, cfg_scale));
  }
}

TEST(CacheMethods, RefuseImpossibleOptionsByName) {
  auto llada = load("llada-tiny");
  auto dream = load("dream-tiny");
  const auto reason = [&](testing::LoadedModel& model, const std::string& method) {
    try {
      Request r = method_request(model, "full", 4, 8, 8, 8);
      r.method = method;
      run(model, r);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  for (const auto& [spec, part] : std::vector<std::pair<std::string, std::string>>{
           {"fast-dllm:cache=both", "cache"},
           {"sparse-dllm:kernel=4", "odd"},
           {"sparse-dllm:kernel=4", "kernel"},
           {"sparse-dllm:kernel=0", "kernel"},
           {"sparse-dllm:keep=1.5", "keep"},
           {"sparse-dllm:keep=-0.1", "keep"},
           {"sparse-dllm:delay=-1", "delay"},
           {"sparse-dllm:prefix_only=maybe", "prefix_only"},
           {"dkv-cache:variant=pd", "variant"},
           {"dkv-cache:refresh=0", "refresh"},
           {"dkv-cache:window=2", "window"},
           {"dkv-cache:variant=greedy,window=-1", "window"},
           {"dkv-cache:variant=greedy", "random"},
           {"dllm-cache:prompt_interval=0", "prompt_interval"},
           {"dllm-cache:gen_interval=0", "gen_interval"},
           {"dllm-cache:transfer=2", "transfer"},
           {"maskkv:keep=2", "keep"},
           {"streaming-dllm:alpha=2", "alpha"},
           {"streaming-dllm:window=-1", "window"},
           {"sparse-dllm:score=best", "score"},
           {"sparse-dllm+", "unknown method"},
           {"sparsed+sparse-dllm", "combined"},
           {"full+sparsed", "combined"},
           {"dllm-cache+sparsed", "combined"},
           {"streaming-dllm+sparsed", "combined"},
           {"sparse-dllm+sparsed+sliding-window", "combined"},
           {"sparse-dllm+sparse", "sparse"},
           {"sparse-dllm+sparsed:block=1", "block"}}) {
    EXPECT_NE(reason(llada, spec).find(part), std::string::npos) << spec << reason(llada, spec);
  }
  EXPECT_NE(reason(dream, "dkv-cache:variant=greedy").find("variant"), std::string::npos);
  EXPECT_NE(reason(dream, "dkv-cache:shift=right").find("shift"), std::string::npos);
}

}  // namespace
}  // namespace unmask
