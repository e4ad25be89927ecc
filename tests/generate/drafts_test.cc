// Drafts (FreeDave, arXiv 2510.00294) change the passes of a generation and nothing else: every
// step decides the same tokens, by the same confidences, as one pass a step does.
#include <algorithm>
#include <gmock/gmock.h>
#include <limits>
#include <random>
#include <tuple>

#include "generate/engine.h"
#include "kernels/backend_wrapper.h"
#include "support/block_causal.h"
#include "support/drafted.h"
#include "support/error_of.h"

namespace unmask {
namespace {

using testing::LoadedModel;

/// What a caller sees of a step, but for rows and times.
struct SeenStep {
  int step, total_steps, masks_left, settled;
  Range block;
  std::vector<TokenId> tokens;
  std::vector<std::tuple<int, TokenId, float>> decided;
  std::vector<float> alternatives;
  bool operator==(const SeenStep&) const = default;
};

struct Seen {
  std::vector<SeenStep> steps;
  Result result;
};

StepCallback watch(Seen& seen) {
  return [&seen](const StepEvent& e) {
    SeenStep s{e.step,       e.total_steps,
               e.masks_left, e.settled,
               e.block,      {e.tokens.begin(), e.tokens.end()},
               {},           {}};
    for (const Decision& d : e.decided) s.decided.emplace_back(d.position, d.token, d.confidence);
    for (const Alternatives& a : e.alternatives) s.alternatives.push_back(a.log_probability);
    seen.steps.push_back(std::move(s));
    return true;
  };
}

Seen run(Transformer& model, const Request& r) {
  Seen seen;
  seen.result = generate(model, {&r, 1}, watch(seen))[0];
  return seen;
}

void expect_same(const Seen& found, const Seen& plain) {
  EXPECT_EQ(found.steps, plain.steps);
  EXPECT_EQ(found.result.tokens, plain.result.tokens);
  EXPECT_EQ(found.result.steps, plain.result.steps);
  EXPECT_EQ(found.result.stopped_early, plain.result.stopped_early);
  EXPECT_LE(found.result.forward_passes, plain.result.forward_passes);
}

/// Passes without drafts, and with so many.
struct Passes {
  int plain = 0;
  int drafted = 0;
  void add(const Request& r, Transformer& model, std::initializer_list<int> drafts) {
    const Seen alone = run(model, r);
    for (const int d : drafts) {
      SCOPED_TRACE(fmt::format("{}, {} drafts, blocks of {}, {} steps", r.method, d, r.block_length,
                               r.steps));
      Request with_drafts = r;
      with_drafts.sampler.drafts = d;
      const Seen found = run(model, with_drafts);
      expect_same(found, alone);
      plain += alone.result.forward_passes;
      drafted += found.result.forward_passes;
    }
  }
};

/// Prompts of random tokens; the tiny checkpoints are random themselves.
Request random_request(const LoadedModel& model, const std::string& method, uint32_t seed) {
  std::mt19937 random(seed);
  const auto draw = [&](int below) {
    return static_cast<int>(random() % static_cast<uint32_t>(below));
  };
  const int gen = 8 * (1 + draw(3));
  const int block = draw(2) == 0 ? 8 : gen;
  const int steps = draw(3) == 0 ? gen / 2 : gen;
  Request r = testing::method_request(model, method, 3 + draw(30), gen, block, steps);
  for (int p = 0; p < r.prompt_length; ++p) r.tokens[static_cast<size_t>(p)] = draw(400);
  r.sampler.seed = seed;
  return r;
}

class DraftsTest : public ::testing::TestWithParam<std::string> {
 protected:
  LoadedModel model_{std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + GetParam(),
                     testing::make_backend("cpu")};
  /// All methods and variants of which drafts can be had.
  std::vector<std::string> methods() const {
    std::vector<std::string> able;
    std::vector<std::string> all = testing::methods_of(GetParam());
    all.insert(all.end(), {"full", "fast-dllm:cache=dual,suffix=keep,prompt_every=2",
                           "fast-dllm:cache=dual,prompt_chunk=8"});
    for (const std::string& method : all) {
      std::string why;
      const Request r = testing::method_request(model_, method, 8, 8, 8, 8);
      if (testing::drafted(r, 2, model_.config, why)) able.push_back(method);
    }
    return able;
  }
};

TEST_P(DraftsTest, ChangeNoStepOfAnyMethodThatTakesThem) {
  EXPECT_GE(methods().size(), 18U);
  Passes all;
  for (const std::string& method : methods()) {
    Passes passes;
    for (uint32_t seed = 0; seed < 4; ++seed) {
      passes.add(random_request(model_, method, seed), model_.transformer, {2, 3, 5});
      if (HasFailure()) return;
    }
    EXPECT_LT(passes.drafted, passes.plain) << method;
    all.plain += passes.plain;
    all.drafted += passes.drafted;
  }
  EXPECT_LT(all.drafted, 0.95 * all.plain);
}

TEST_P(DraftsTest, ChangeNoStepOfAnySampler) {
  const bool dream = model_.config.family == Family::dream;
  std::vector<SamplerOptions> samplers{{.algorithm = Algorithm::maskgit_plus},
                                       {.algorithm = Algorithm::entropy},
                                       {.algorithm = Algorithm::topk_margin, .top_k = 20},
                                       {.algorithm = Algorithm::maskgit_plus, .temperature = 0.5},
                                       {.algorithm = Algorithm::entropy, .alg_temp = 0.3},
                                       {.algorithm = Algorithm::sequential},
                                       {.counts = Counts::even_block},
                                       {.counts = Counts::linear},
                                       {.counts = Counts::fixed, .per_step = 2},
                                       {.suppress_eos = true},
                                       {.attach_eos = true}};
  if (!dream) samplers.push_back({.temperature = 0.8});
  for (const SamplerOptions& sampler : samplers) {
    SCOPED_TRACE(algorithm_name(sampler.algorithm));
    for (const char* method : {"full", "fast-dllm:cache=dual"}) {
      for (uint32_t seed = 0; seed < 4; ++seed) {
        Request r = random_request(model_, method, seed);
        r.sampler = sampler;
        r.sampler.seed = seed;
        r.eos_ids = {3, 5, 7};
        Passes().add(r, model_.transformer, {2, 4});
        if (HasFailure()) return;
      }
    }
  }
}

TEST_P(DraftsTest, ChangeNoStepOfACanvasThatEndsOrGrows) {
  for (const char* method : {"full", "fast-dllm:cache=dual", "sparse-dllm"}) {
    for (uint32_t seed = 0; seed < 6; ++seed) {
      Request r = random_request(model_, method, seed);
      r.steps = r.gen_length();
      r.block_length = 8;
      r.most_length = 40;
      r.end_in_sight = 0.5;
      r.alternatives = 3;
      const Result whole = generate(model_.transformer, {&r, 1})[0];
      r.eos_ids = {whole.tokens[static_cast<size_t>(r.prompt_length) + 5]};
      r.early_stop = true;
      Passes().add(r, model_.transformer, {2, 4});
    }
  }
}

TEST_P(DraftsTest, ChangeNoStepBesideOtherRequests) {
  std::vector<Request> requests;
  std::vector<Seen> alone;
  std::vector<Seen> together;
  uint32_t seed = 0;
  for (const std::string& method : methods()) {
    Request r = random_request(model_, method, ++seed);
    alone.push_back(run(model_.transformer, r));
    if (seed % 4 != 0) r.sampler.drafts = 2 + static_cast<int>(seed % 3);
    requests.push_back(r);
    together.emplace_back();
  }
  for (const int max_rows : {60, std::numeric_limits<int>::max()}) {
    for (Seen& seen : together) seen.steps.clear();
    const auto dispatch = [&](const StepEvent& e) {
      return watch(together[static_cast<size_t>(e.request)])(e);
    };
    const std::vector<Result> results =
        generate(model_.transformer, requests, dispatch, {.max_rows = max_rows});
    for (size_t i = 0; i < requests.size(); ++i) {
      SCOPED_TRACE(requests[i].method);
      together[i].result = results[i];
      expect_same(together[i], alone[i]);
    }
  }
}

TEST_P(DraftsTest, ARequestCancelledAmongTheStepsOfAPassHasTakenThemOneByOne) {
  Request r = testing::method_request(model_, "full", 9, 16, 16, 16);
  const Seen plain = run(model_.transformer, r);
  r.sampler.drafts = 4;
  for (int last = 1; last < 15; ++last) {
    Seen seen;
    const StepCallback see = watch(seen);
    const Result result = generate(model_.transformer, {&r, 1},
                                   [&](const StepEvent& e) { return see(e) && e.step < last; })[0];
    EXPECT_TRUE(result.cancelled);
    EXPECT_EQ(result.steps, last + 1);
    EXPECT_EQ(result.tokens, plain.steps[static_cast<size_t>(last)].tokens);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, DraftsTest, ::testing::Values("llada-tiny", "dream-tiny"),
                         [](const auto& about) { return about.param.substr(0, 5); });

TEST(Drafts, ChangeNoStepOfABlockCausalModel) {
  for (const char* name : {"llada-tiny", "dream-tiny"}) {
    testing::BlockCausal model(name, 8);
    for (const char* method : {"block-cache", "full"}) {
      Passes passes;
      for (const int prompt : {0, 8, 24}) {
        Request r = model.request(method, prompt, 24, 8, 24);
        passes.add(r, model.transformer(), {2, 3, 5});
      }
      EXPECT_LT(passes.drafted, passes.plain) << name << ", " << method;
    }
  }
}

/// Spoils the logits of steps that have not come yet.
class SpoilsDrafts final : public BackendWrapper {
 public:
  using BackendWrapper::BackendWrapper;
  void token_stats(Tensor logits, std::span<const int> positions, const TokenQuery& query,
                   std::span<TokenStats> out) override {
    BackendWrapper::token_stats(logits, positions, query, out);
    if (query.step <= now || !armed) return;
    for (TokenStats& s : out) s.probability = std::numeric_limits<float>::quiet_NaN();
  }
  int now = 0;
  bool armed = false;
};

TEST(Drafts, OneWhoseLogitsAreNoNumbersEndsNothing) {
  auto owner = std::make_unique<SpoilsDrafts>(testing::make_backend("cpu"));
  SpoilsDrafts& backend = *owner;
  LoadedModel model(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny", std::move(owner));
  Request r = testing::method_request(model, "full", 9, 16, 16, 16);
  const Seen plain = run(model.transformer, r);
  backend.armed = true;
  r.sampler.drafts = 3;
  Seen seen;
  const StepCallback see = watch(seen);
  seen.result = generate(model.transformer, {&r, 1}, [&](const StepEvent& e) {
    backend.now = e.step + 1;
    return see(e);
  })[0];
  expect_same(seen, plain);
  EXPECT_EQ(seen.result.forward_passes, plain.result.forward_passes);
  EXPECT_GT(seen.result.rows, plain.result.rows);
}

TEST(Drafts, AreRefusedWhereTheyWouldChangeTheText) {
  LoadedModel model(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny",
                    testing::make_backend("cpu"));
  const auto error = [&](const std::string& method, SamplerOptions sampler, double guidance = 0) {
    Request r = testing::method_request(model, method, 8, 8, 8, 8);
    if (r.sampler.algorithm == Algorithm::random) sampler.algorithm = Algorithm::random;
    r.sampler = sampler;
    r.cfg_scale = guidance;
    return testing::error_of([&] { check_request(r, model.config); });
  };
  EXPECT_EQ(error("full", {.drafts = 2}), "no error");
  EXPECT_THAT(error("full", {.drafts = 1}), ::testing::HasSubstr("at least 2"));
  EXPECT_THAT(error("full", {.threshold = 0.9, .drafts = 2}), ::testing::HasSubstr("threshold"));
  EXPECT_THAT(error("full", {.factor = 1, .drafts = 2}), ::testing::HasSubstr("factor"));
  EXPECT_THAT(error("full", {.credit = CreditRule{}, .drafts = 2}), ::testing::HasSubstr("credit"));
  EXPECT_THAT(error("full", {.algorithm = Algorithm::random, .drafts = 2}),
              ::testing::HasSubstr("random"));
  EXPECT_THAT(error("full", {.drafts = 2}, 0.5), ::testing::HasSubstr("guidance"));
  for (const char* method :
       {"dllm-cache", "dkv-cache", "flash-cache", "es-dllm", "sliding-window", "sparsed"}) {
    EXPECT_THAT(error(method, {.drafts = 2}),
                ::testing::HasSubstr("what takes drafts is fast-dllm, full, maskkv, sparse-dllm, "
                                     "streaming-dllm"))
        << method;
  }
}

}  // namespace
}  // namespace unmask
