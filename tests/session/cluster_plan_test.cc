// What a plan for several machines says about bytes, time and memory, and which way it prefers.
#include "session/cluster_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/error_of.h"
#include "support/small_config.h"

namespace unmask {
namespace {

using ::testing::HasSubstr;

constexpr int kContext = 512;
constexpr int kBlock = 32;
constexpr double kEndless = 1e300;

ModelConfig config() {
  ModelConfig config = testing::small(Family::llada);
  config.vocab_size = 100;
  config.mask_id = 99;
  config.dim = 64;
  config.n_layers = 4;
  config.n_heads = config.n_kv_heads = 8;
  config.head_dim = 8;
  config.ffn_dim = 128;
  return config;
}

Cluster cluster(int ranks, double network) {
  return {.ranks = ranks,
          .rates = {.products = 1e9, .attention = 1e9, .read = 1e8},
          .network = network,
          .latency = 0};
}

ClusterPlan planned(const Cluster& about, int context = kContext) {
  const Costs costs(config(), element_sizes(DeviceKind::cpu, WeightType::f32));
  return plan_cluster(costs, block_request(config(), context), about);
}

TEST(ClusterPlan, CountsTheBytesOfBothSplits) {
  const ModelConfig c = config();
  const ClusterPlan plan = planned(cluster(4, kEndless));
  const auto& [prompts, rows, columns] = plan.ways;
  const int64_t logits = int64_t{kBlock} * c.vocab_size;
  const int64_t keys_and_values = int64_t{c.n_layers} * kContext * 2 * c.n_kv_heads * c.head_dim;
  EXPECT_EQ(prompts.full.received, 0);
  // The last rank has the open positions, so it gets no logits.
  EXPECT_EQ(rows.full.received, 4 * keys_and_values * 3 / 4);
  EXPECT_EQ(rows.cached.received, 0);
  EXPECT_GT(columns.full.received, 4 * (keys_and_values + logits) * 3 / 4);
  EXPECT_GT(columns.cached.received, 0);
  EXPECT_EQ(rows.full.rows, kContext);
  EXPECT_EQ(rows.cached.rows, kBlock);
}

TEST(ClusterPlan, AnEndlessNetworkLeavesTheShareOfTheWork) {
  const ClusterPlan plan = planned(cluster(4, kEndless));
  const auto& [prompts, rows, columns] = plan.ways;
  EXPECT_LT(rows.full.waiting, 1e-200);
  EXPECT_GT(rows.full.computing, prompts.full.computing / 4);  // the open positions come on top
  EXPECT_LT(rows.full.computing, prompts.full.computing / 3);
  EXPECT_EQ(rows.cached.computing, prompts.cached.computing);
  EXPECT_LT(columns.cached.computing, prompts.cached.computing);
}

TEST(ClusterPlan, WaitsForBytesAndForMessages) {
  Cluster about = cluster(3, 1e6);
  const double bytes = planned(about).ways[1].full.waiting;
  EXPECT_DOUBLE_EQ(bytes, static_cast<double>(planned(about).ways[1].full.received) / 1e6);
  about.latency = 0.5;
  const SharedPass full = planned(about).ways[1].full;
  EXPECT_DOUBLE_EQ(full.waiting, bytes + static_cast<double>(full.gathers) * 2 * 0.5);
}

TEST(ClusterPlan, KeysOfSomeHeadsTravelWhileAttentionComputesWithOthers) {
  constexpr int kLong = 4096;  // 2 MiB of keys and values a layer: four turns
  Cluster about = cluster(2, 1e3);
  const SharedPass slow = planned(about, kLong).ways[1].full;
  EXPECT_EQ(slow.gathers / config().n_layers, 4);
  about.rates.attention = kEndless;  // nothing to hide behind
  const SharedPass bare = planned(about, kLong).ways[1].full;
  const double attention = slow.computing - bare.computing;
  EXPECT_DOUBLE_EQ(bare.waiting, static_cast<double>(bare.received) / 1e3);
  EXPECT_NEAR(slow.waiting, bare.waiting - attention * 3 / 4, bare.waiting * 1e-9);
  about = cluster(2, 1e12);  // fast: the first turn is what is waited for
  const SharedPass fast = planned(about, kLong).ways[1].full;
  EXPECT_NEAR(fast.waiting, static_cast<double>(fast.received) / 1e12 / 4, 1e-12);
}

TEST(ClusterPlan, ColumnsHoldAPartOfTheWeights) {
  const ClusterPlan plan = planned(cluster(4, kEndless));
  const auto& [prompts, rows, columns] = plan.ways;
  EXPECT_EQ(rows.memory, prompts.memory);
  const Costs costs(config(), element_sizes(DeviceKind::cpu, WeightType::f32));
  const int64_t kept = costs.weight_bytes() * 3 / 4;
  EXPECT_GT(columns.memory, prompts.memory - kept);  // a gather takes memory as well
}

TEST(ClusterPlan, PrefersWhatFitsAndIsFastest) {
  constexpr int64_t kMuch = int64_t{1} << 40;
  const ClusterPlan fast = planned(cluster(4, kEndless));
  EXPECT_EQ(fast.for_many_prompts(kMuch)->sharing, Sharing::prompts);
  EXPECT_NE(fast.for_one_prompt(kMuch)->sharing, Sharing::prompts);
  const ClusterPlan slow = planned(cluster(4, 1e3));
  EXPECT_EQ(slow.for_one_prompt(kMuch)->sharing, Sharing::prompts);
  EXPECT_EQ(fast.for_one_prompt(0), nullptr);
  EXPECT_EQ(fast.for_many_prompts(0), nullptr);
}

TEST(ClusterPlan, RefusesAContextOfOneBlock) {
  EXPECT_THAT(testing::error_of([] { block_request(config(), kBlock); }),
              HasSubstr("[plan] context: found 32, expected at least 64"));
}

}  // namespace
}  // namespace unmask
