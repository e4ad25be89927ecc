// Published methods over the finished blocks of a block-causal model: keeping everything loses
// nothing, and what is kept is what their scores, computed here in plain loops, say.
#include "methods/prefix_selection.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <map>
#include <numeric>

#include "methods/method_wrapper.h"
#include "support/block_causal.h"

namespace unmask {
namespace {

using testing::BlockCausal;

std::vector<float> values_of(Backend& backend, Tensor t) {
  std::vector<float> values(static_cast<size_t>(t.rows) * static_cast<size_t>(t.cols));
  backend.download(t, values.data());
  return values;
}

/// What a layer saw in one step of a block.
struct Seen {
  std::vector<float> q{};
  std::vector<float> k{};                 // of every slot
  std::vector<int> positions{};           // of the fresh rows
  std::vector<std::vector<int>> slots{};  // of each key head
  int left_out = 0;
};

class Watch final : public MethodWrapper {
 public:
  Watch(std::unique_ptr<Method> inner, std::map<int, Seen>& steps)
      : MethodWrapper(std::move(inner)), steps_(steps) {}
  Attention attend(AttendScope& scope) override {
    const Attention a = MethodWrapper::attend(scope);
    if (scope.layer != 1) return a;
    Seen& seen = steps_[scope.step.index];
    seen.q = values_of(scope.backend, scope.q);
    seen.k = values_of(scope.backend, a.kv.k);
    seen.positions.assign(scope.positions.begin(), scope.positions.end());
    for (int h = 0; h < scope.shape.n_kv_heads; ++h) seen.slots.push_back(slot_positions(scope, h));
    seen.left_out = a.left_out;
    return a;
  }

 private:
  std::map<int, Seen>& steps_;
};

constexpr int kPrompt = 40;
constexpr int kBlock = 8;

std::map<int, Seen> watch(BlockCausal& model, const std::string& method) {
  std::map<int, Seen> steps;
  Request r = model.request(method, kPrompt, kBlock, kBlock, kBlock);
  r.observe = [&](std::unique_ptr<Method> inner) {
    return std::make_unique<Watch>(std::move(inner), steps);
  };
  model.run(r);
  return steps;
}

/// Scores of the prompt's positions by the mean query of the block's rows.
std::vector<float> mean_query(const Seen& seen, const ModelConfig& c) {
  const size_t q_cols = static_cast<size_t>(c.n_heads) * static_cast<size_t>(c.head_dim);
  const size_t k_cols = static_cast<size_t>(c.n_kv_heads) * static_cast<size_t>(c.head_dim);
  const size_t rows = seen.q.size() / q_cols;
  const int group = c.n_heads / c.n_kv_heads;
  std::vector<float> scores(kPrompt);
  for (size_t p = 0; p < kPrompt; ++p) {
    double sum = 0;
    for (size_t column = 0; column < q_cols; ++column) {
      double mean = 0;
      for (size_t r = rows - kBlock; r < rows; ++r) mean += seen.q[r * q_cols + column];
      const auto head = static_cast<int>(column) / c.head_dim;
      const int key_column = head / group * c.head_dim + static_cast<int>(column) % c.head_dim;
      sum += mean / kBlock * seen.k[p * k_cols + static_cast<size_t>(key_column)];
    }
    scores[p] = static_cast<float>(sum / c.n_heads);
  }
  return scores;
}

/// Attention that key head `head` pays to blocks of `block` positions of the prompt.
std::vector<double> block_mass(const Seen& seen, const ModelConfig& c, int head, int block) {
  const size_t q_cols = static_cast<size_t>(c.n_heads) * static_cast<size_t>(c.head_dim);
  const size_t k_cols = static_cast<size_t>(c.n_kv_heads) * static_cast<size_t>(c.head_dim);
  const size_t rows = seen.q.size() / q_cols;
  const int group = c.n_heads / c.n_kv_heads;
  std::vector<double> mass(static_cast<size_t>(kPrompt / block));
  for (size_t r = rows - kBlock; r < rows; ++r) {
    for (int h = head * group; h < (head + 1) * group; ++h) {
      std::vector<double> weights;
      for (size_t p = 0; p < kPrompt + kBlock; ++p) {
        double dot = 0;
        for (int d = 0; d < c.head_dim; ++d) {
          dot += seen.q[r * q_cols + static_cast<size_t>(h * c.head_dim + d)] *
                 seen.k[p * k_cols + static_cast<size_t>(head * c.head_dim + d)];
        }
        weights.push_back(std::exp(dot / std::sqrt(c.head_dim)));
      }
      const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
      for (size_t p = 0; p < mass.size() * static_cast<size_t>(block); ++p) {
        mass[p / static_cast<size_t>(block)] += weights[p] / sum;
      }
    }
  }
  return mass;
}

std::vector<int> before(std::vector<int> positions) {
  std::erase_if(positions, [](int p) { return p >= kPrompt; });
  return positions;
}

TEST(PrefixSelection, KeepingEverythingLosesNothing) {
  for (const std::string name : {"llada-tiny", "dream-tiny"}) {
    for (const int visible : {1, 8, 13}) {
      BlockCausal model(name, visible);
      for (const char* method : {"sparse-dllm:keep=1,delay=0", "sparsed:select=1,block=4",
                                 "sliding-window:window=900", "streaming-llm:window=900,delay=2"}) {
        for (const auto& [prompt, block] : {std::pair{16, 8}, {19, 16}, {5, 4}, {0, 8}}) {
          Request r = model.request("block-cache", prompt, 32, block, 16);
          const Result exact = model.run(r);
          r.method = method;
          const Result kept = model.run(r);
          EXPECT_EQ(kept.tokens, exact.tokens) << name << visible << method << prompt << block;
          EXPECT_EQ(kept.rows, exact.rows) << name << visible << method << prompt << block;
        }
      }
    }
  }
}

TEST(PrefixSelection, AMaskInThePromptMayBeDecidedInTheMidstOfABlock) {
  for (const std::string name : {"llada-tiny", "dream-tiny"}) {
    BlockCausal model(name, 8);
    for (const int hole : {12, 13, 19, 20, 21}) {
      Request r = model.request("block-cache", 24, 16, 8, 16);
      // Any order, so that the hole's turn comes early, too.
      r.sampler.algorithm = Algorithm::random;
      r.sampler.seed = static_cast<uint64_t>(hole);
      r.tokens[static_cast<size_t>(hole)] = model.config().mask_id;
      const Result exact = model.run(r);
      for (const char* method : {"sparse-dllm:keep=1,delay=0", "sparsed:select=1,block=4"}) {
        r.method = method;
        EXPECT_EQ(model.run(r).tokens, exact.tokens) << name << hole << method;
      }
    }
  }
}

TEST(PrefixSelection, SparseDllmKeepsWhatTheMeanQueryScoresHighest) {
  BlockCausal model("llada-tiny", kBlock);
  const auto steps = watch(model, "sparse-dllm:keep=0.5,kernel=1,delay=1");
  EXPECT_EQ(steps.at(0).left_out + steps.at(1).left_out, 0);
  const std::vector<float> scores = mean_query(steps.at(1), model.config());
  const Seen& later = steps.at(2);
  EXPECT_EQ(later.left_out, kPrompt / 2);
  EXPECT_EQ(later.positions.size(), size_t{kBlock});
  for (const std::vector<int>& slots : later.slots) {
    const std::vector<int> kept = before(slots);
    ASSERT_EQ(kept.size(), size_t{kPrompt / 2});
    float least = INFINITY;
    for (const int p : kept) least = std::min(least, scores[static_cast<size_t>(p)]);
    for (int p = 0; p < kPrompt; ++p) {
      const bool is_kept = std::find(kept.begin(), kept.end(), p) != kept.end();
      EXPECT_TRUE(is_kept || scores[static_cast<size_t>(p)] <= least + 1e-4F) << p;
    }
  }
}

TEST(PrefixSelection, SparseDKeepsTheBlocksWithTheLargestMass) {
  BlockCausal model("llada-tiny", kBlock);
  constexpr int kKeys = 3;  // 40 positions are 13 blocks and one position that always stays
  const auto steps = watch(model, "sparsed:select=0.3,block=3");
  bool differ = false;
  for (int head = 0; head < model.config().n_kv_heads; ++head) {
    const auto h = static_cast<size_t>(head);
    const std::vector<double> mass = block_mass(steps.at(0), model.config(), head, kKeys);
    const std::vector<int> kept = before(steps.at(1).slots[h]);
    ASSERT_EQ(kept.size(), size_t{4 * kKeys + 1});
    EXPECT_EQ(kept.back(), kPrompt - 1);
    double least = INFINITY;
    for (size_t i = 0; i + 1 < kept.size(); ++i) {
      least = std::min(least, mass[static_cast<size_t>(kept[i] / kKeys)]);
    }
    for (size_t b = 0; b < mass.size(); ++b) {
      const int p = static_cast<int>(b) * kKeys;
      const bool is_kept = std::find(kept.begin(), kept.end(), p) != kept.end();
      EXPECT_TRUE(is_kept || mass[b] <= least + 1e-4) << b;
    }
    differ = differ || kept != before(steps.at(1).slots[0]);
  }
  EXPECT_TRUE(differ) << "every head keeps the same";
}

TEST(PrefixSelection, WindowsKeepWhatIsNearAndTheFirst) {
  BlockCausal model("dream-tiny", kBlock);
  const Seen near = watch(model, "sliding-window:window=6").at(2);
  EXPECT_EQ(before(near.slots[0]), (std::vector{34, 35, 36, 37, 38, 39}));
  const Seen sinks = watch(model, "streaming-llm:window=3,sinks=2").at(2);
  EXPECT_EQ(before(sinks.slots[0]), (std::vector{0, 1, 37, 38, 39}));
  EXPECT_EQ(sinks.left_out, kPrompt - 5);
}

TEST(PrefixSelection, WhatIsLeftOutChangesTheTextAndIsCounted) {
  BlockCausal model("llada-tiny", kBlock);
  Request r = model.request("block-cache", kPrompt, 32, kBlock, 32);
  const Result exact = model.run(r);
  for (const char* method : {"sparse-dllm:keep=0", "sparse-dllm:score=random,keep=0.1",
                             "sparsed:select=0", "sliding-window:window=1"}) {
    r.method = method;
    const Result some = model.run(r);
    EXPECT_EQ(some.masks_left, 0) << method;
    EXPECT_EQ(some.rows, exact.rows) << method;
    EXPECT_NE(some.tokens, exact.tokens) << method;
  }
}

TEST(PrefixSelection, OptionsThatMeanNothingThereAreRefused) {
  ModelConfig config;
  config.n_layers = config.n_heads = config.n_kv_heads = 1;
  config.visibility = Visibility::block_causal(4);
  for (const auto& [method, option] : {std::pair{"sparsed", "isolated=true"},
                                       {"sparsed", "skip=0.2"},
                                       {"sliding-window", "sinks=1"},
                                       {"sparse-dllm", "kernel=2"}}) {
    Options options(method, option);
    EXPECT_THROW(
        {
          (std::string(method) == "sparsed" ? create_prefix_sparsed
           : std::string(method) == "sliding-window"
               ? create_prefix_window
               : create_prefix_sparse_dllm)(options, {config, 0});
          options.check_all_read();
        },
        Error)
        << method << option;
  }
}

}  // namespace
}  // namespace unmask
