// Laws that hold for every caching method on any request.
#include <gtest/gtest.h>
#include <random>

#include "generate/engine.h"
#include "support/model_fixture.h"

namespace unmask {
namespace {

testing::LoadedModel load(const std::string& name, int threads = 2) {
  return {std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + name,
          create_cpu_backend({.threads = threads})};
}

std::vector<std::string> methods_of(const std::string& model) {
  std::vector<std::string> list{"fast-dllm",
                                "fast-dllm:cache=dual",
                                "sparse-dllm",
                                "sparse-dllm:keep=0.3,kernel=1,delay=0",
                                "sparse-dllm:keep=0,delay=3",
                                "sparse-dllm:prefix_only=true,kernel=5",
                                "dllm-cache:prompt_interval=4,gen_interval=3",
                                "dllm-cache:prompt_interval=3,gen_interval=5,transfer=0",
                                "dkv-cache:refresh=3"};
  if (model == "llada-tiny") {
    list.emplace_back("dkv-cache:variant=greedy,refresh=3,window=2");
  } else {
    list.emplace_back("dkv-cache:shift=un_right");
    list.emplace_back("dkv-cache:variant=prefill");
    list.emplace_back("dkv-cache:variant=pd");
  }
  return list;
}

Request request(const testing::LoadedModel& model, const std::string& method, int prompt_length,
                int gen_length, int block, int steps) {
  std::vector<TokenId> prompt;
  prompt.reserve(static_cast<size_t>(prompt_length));
  for (int i = 0; i < prompt_length; ++i) prompt.push_back((i * 37 + 11) % 400);
  Request r = append_masks(prompt, gen_length, model.config.mask_id);
  r.method = method;
  r.block_length = block;
  r.steps = steps;
  if (model.config.family == Family::dream) r.sampler.algorithm = Algorithm::maskgit_plus;
  if (method.find("greedy") != std::string::npos) r.sampler.algorithm = Algorithm::random;
  return r;
}

Result run(testing::LoadedModel& model, const Request& r) {
  return generate(model.transformer, std::span(&r, 1))[0];
}

TEST(CacheMethods, AnyNumberOfThreadsGivesTheSameTokens) {
  for (const std::string name : {"llada-tiny", "dream-tiny"}) {
    auto one = load(name, 1);
    auto three = load(name, 3);
    for (const std::string& method : methods_of(name)) {
      const Request r = request(one, method, 19, 32, 16, 32);
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
      requests.push_back(request(model, method, prompt, 24, prompt % 2 == 0 ? 12 : 24, 24));
      prompt += 5;
    }
    requests.push_back(request(model, "full", 9, 16, 16, 8));
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
      for (int round = 0; round < 8; ++round) {
        const int prompt = static_cast<int>(random() % 4) * 7;  // 0 too
        const int block = 1 + static_cast<int>(random() % 9);
        const int blocks = 1 + static_cast<int>(random() % 3);
        // Dream's full pass decides one token alone, so a block of several needs two steps.
        const int steps = 2 + static_cast<int>(random() % 6);
        Request r = request(model, method, prompt, block * blocks, block, steps * blocks);
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
        Request r = request(model, method, 12, 16, 8, 16);
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
  const auto full = run(model, request(model, "full", 21, 32, 16, 32)).tokens;
  for (const char* method : {"dkv-cache:refresh=1", "dllm-cache:prompt_interval=1,gen_interval=1",
                             "sparse-dllm:keep=0.2,delay=16",
                             "dllm-cache:gen_interval=9,"
                             "prompt_interval=1,transfer=1"}) {
    EXPECT_EQ(run(model, request(model, method, 21, 32, 16, 32)).tokens, full) << method;
  }
}

TEST(CacheMethods, ReusingNothingLeavesTheFullModelInAnyBlock) {
  auto model = load("llada-tiny");
  for (const char* method : {"fast-dllm", "fast-dllm:cache=dual", "sparse-dllm:delay=0"}) {
    // One step a block: every pass is a full one.
    EXPECT_EQ(run(model, request(model, method, 21, 32, 8, 4)).tokens,
              run(model, request(model, "full", 21, 32, 8, 4)).tokens)
        << method;
  }
}

TEST(CacheMethods, KeepingTheWholeFirstPassIsTheDualCache) {
  auto model = load("llada-tiny");
  const Request sparse = request(model, "sparse-dllm:keep=1,delay=0", 21, 32, 16, 32);
  const Request dual = request(model, "fast-dllm:cache=dual", 21, 32, 16, 32);
  EXPECT_EQ(run(model, sparse).tokens, run(model, dual).tokens);
  EXPECT_EQ(run(model, sparse).rows, run(model, dual).rows);
}

TEST(CacheMethods, RefuseImpossibleOptionsByName) {
  auto llada = load("llada-tiny");
  auto dream = load("dream-tiny");
  const auto reason = [&](testing::LoadedModel& model, const std::string& method) {
    try {
      Request r = request(model, "full", 4, 8, 8, 8);
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
           {"dllm-cache:transfer=2", "transfer"}}) {
    EXPECT_NE(reason(llada, spec).find(part), std::string::npos) << spec << reason(llada, spec);
  }
  EXPECT_NE(reason(dream, "dkv-cache:variant=greedy").find("variant"), std::string::npos);
  EXPECT_NE(reason(dream, "dkv-cache:shift=right").find("shift"), std::string::npos);
}

}  // namespace
}  // namespace unmask
