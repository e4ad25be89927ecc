// Block-causal models: what a position does not see cannot change it, and the cache of finished
// blocks gives the tokens that no cache gives.
#include "methods/prefix_cache.h"

#include <gtest/gtest.h>
#include <set>

#include "methods/full.h"
#include "methods/registry.h"
#include "support/block_causal.h"

namespace unmask {
namespace {

using testing::BlockCausal;

TEST(BlockCausalModel, ABlockDoesNotSeeWhatFollowsIt) {
  for (const std::string name : {"llada-tiny", "dream-tiny"}) {
    BlockCausal model(name, 8);
    // With its own blocks as those of the model, a generation is that of its beginning.
    const std::vector<TokenId> whole = model.run(model.request("full", 16, 32, 8, 32)).tokens;
    const std::vector<TokenId> begin = model.run(model.request("full", 16, 16, 8, 16)).tokens;
    EXPECT_TRUE(std::equal(begin.begin(), begin.end(), whole.begin())) << name;
    BlockCausal wider(name, 64);
    EXPECT_NE(wider.run(model.request("full", 16, 32, 8, 32)).tokens, whole) << name;
  }
}

TEST(PrefixCache, GivesTheTokensOfNoCacheWithFewerRows) {
  for (const std::string name : {"llada-tiny", "dream-tiny"}) {
    for (const int visible : {1, 8, 13}) {
      BlockCausal model(name, visible);
      std::set<TokenId> seen;
      int round = visible;
      // Blocks of the generation that are those of the model, wider, narrower and across them.
      for (const auto& [prompt, block] : {std::pair{16, 8}, {19, 16}, {5, 4}, {0, 8}}) {
        const bool dynamic = round % 3 == 0;
        const bool guided = round % 3 == 2;
        Request r = model.request("full", prompt, 32, block, round % 3 == 1 ? 32 : 16);
        if (dynamic) r.sampler.threshold = 0.3;
        if (guided) r.cfg_scale = 0.5;
        if (guided && prompt > 5) r.tokens[5] = model.config().mask_id;
        const Result none = model.run(r);
        r.method = "block-cache";
        const Result cached = model.run(r);
        EXPECT_EQ(cached.tokens, none.tokens) << name << visible << prompt << block << round;
        EXPECT_LT(cached.rows, none.rows) << name << visible << prompt << block << round;
        seen.insert(none.tokens.begin() + prompt, none.tokens.end());
        ++round;
      }
      EXPECT_GT(seen.size(), 10U) << "texts too dull to show a difference";
    }
  }
}

TEST(PrefixCache, ComputesAFinishedBlockOnceMoreAndThenNever) {
  BlockCausal model("llada-tiny", 8);
  // 2 blocks of 8 in 2 steps each behind 16 tokens of the prompt.
  const Result r = model.run(model.request("block-cache", 16, 16, 8, 4));
  EXPECT_EQ(r.rows, 24 + 8 + (8 + 8) + 8);
}

TEST(PrefixCache, APromptMayComeInSeveralPasses) {
  BlockCausal model("llada-tiny", 8);
  std::vector<TokenId> tokens;
  for (int p = 0; p < 32; ++p) tokens.push_back((p * 37 + 11) % 400);
  /// Hidden state of the last position after passes over these ranges.
  const auto hidden = [&](Method& method, const std::vector<Range>& passes) {
    std::vector<KvStore> stores(static_cast<size_t>(model.config().n_layers));
    Step step;
    step.tokens = tokens;
    step.mask_id = model.config().mask_id;
    Tensor last;
    for (const Range& rows : passes) {
      StepPlan plan;
      plan.rows = Rows(rows);
      SequencePass pass{step, plan, &method, &stores, Rows(Range{rows.size() - 1, rows.size()})};
      last = model.transformer().forward({&pass, 1});
    }
    return std::vector<float>(last.f32(), last.f32() + last.cols);
  };
  Full full;
  const std::vector<float> expected = hidden(full, {{0, 32}});
  for (const std::vector<Range>& passes :
       {std::vector<Range>{{0, 32}}, {{0, 16}, {16, 32}}, {{0, 8}, {8, 24}, {24, 32}}}) {
    PrefixCache cache(model.config().visibility, {});
    EXPECT_EQ(hidden(cache, passes), expected) << passes.size();
  }
  PrefixCache gap(model.config().visibility, {});
  EXPECT_THROW(hidden(gap, {{0, 8}, {16, 32}}), LogicError);
}

TEST(Visibility, MethodsThatDoNotFitAreRefusedByNamesThatDo) {
  BlockCausal model("llada-tiny", 8);
  const auto reason = [](const std::string& spec, const ModelConfig& config) {
    try {
      create_method(spec, {config, 0});
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  for (const std::string& method : testing::methods_of("llada-tiny")) {
    const bool alone = method.find('+') == std::string::npos;
    if (alone && method.starts_with("sparse-dllm")) continue;
    EXPECT_NE(reason(method, model.config()).find("block-cache, full"), std::string::npos)
        << method;
  }
  for (const char* method :
       {"full", "block-cache", "sparsed", "sparse-dllm", "sliding-window", "streaming-llm"}) {
    EXPECT_EQ(reason(method, model.config()), "accepted");
  }
  ModelConfig all = model.config();
  all.visibility = Visibility::all();
  EXPECT_EQ(reason("full", all), "accepted");
  EXPECT_NE(reason("block-cache", all).find("see all"), std::string::npos);
  EXPECT_NE(reason("block-cache:x=1", model.config()).find("x"), std::string::npos);
}

}  // namespace
}  // namespace unmask
