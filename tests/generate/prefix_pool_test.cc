// Requests that begin alike share keys and values: nothing changes but the rows that are computed.
#include "generate/prefix_pool.h"

#include <gtest/gtest.h>
#include <random>

#include "support/block_causal.h"

namespace unmask {
namespace {

using testing::BlockCausal;

constexpr size_t kPlenty = size_t{1} << 30;

/// `count` tokens that follow from a seed.
std::vector<TokenId> words(int count, int seed) {
  std::vector<TokenId> tokens;
  for (int i = 0; i < count; ++i) tokens.push_back((i * 37 + seed * 11 + 5) % 400);
  return tokens;
}

Request request(BlockCausal& model, const std::vector<TokenId>& prompt, int block = 8) {
  Request r = model.request("block-cache", static_cast<int>(prompt.size()), 24, block, 24);
  std::copy(prompt.begin(), prompt.end(), r.tokens.begin());
  return r;
}

Result run(BlockCausal& model, const Request& r, PrefixPool* pool) {
  Engine engine(model.transformer(), {.prefixes = pool});
  const RequestId id = engine.submit(r);
  while (engine.step()) {
  }
  return engine.take(id);
}

std::vector<TokenId> joined(std::vector<TokenId> a, const std::vector<TokenId>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(PrefixPool, APromptThatBeginsAlikeIsReadOnce) {
  for (const std::string name : {"llada-tiny", "dream-tiny"}) {
    for (const int visible : {1, 8, 13}) {
      BlockCausal model(name, visible);
      PrefixPool pool(kPlenty);
      const std::vector<TokenId> system = words(29, 1);
      EXPECT_EQ(run(model, request(model, joined(system, words(7, 2))), &pool).reused, 0);
      for (const std::vector<TokenId>& question : {words(11, 3), words(2, 4), words(7, 2)}) {
        const Request r = request(model, joined(system, question));
        const Result alone = run(model, r, nullptr);
        const Result shared = run(model, r, &pool);
        EXPECT_EQ(shared.tokens, alone.tokens) << name << visible;
        EXPECT_EQ(shared.steps, alone.steps);
        // Whole blocks of what is alike; of the last question that is the whole prompt.
        EXPECT_GE(shared.reused, 29 / visible * visible) << name << visible;
        EXPECT_LT(shared.rows, alone.rows);
      }
    }
  }
}

TEST(PrefixPool, AConversationGoesOnFromItsAnswer) {
  BlockCausal model("llada-tiny", 8);
  PrefixPool pool(kPlenty);
  const Result first = run(model, request(model, words(20, 1)), &pool);
  // The last block of an answer was never finished by a pass.
  const Request second = request(model, joined(first.tokens, words(9, 5)));
  const Result alone = run(model, second, nullptr);
  const Result shared = run(model, second, &pool);
  EXPECT_EQ(shared.tokens, alone.tokens);
  EXPECT_GE(shared.reused, 32);
  EXPECT_LE(shared.reused, 44);
}

TEST(PrefixPool, EveryBlockIsTheModelsOwn) {
  BlockCausal model("llada-tiny", 8);
  PrefixPool pool(kPlenty);
  run(model, request(model, words(21, 1)), &pool);
  EXPECT_EQ(run(model, request(model, words(15, 1)), &pool).reused, 8);
  EXPECT_EQ(run(model, request(model, words(16, 1)), &pool).reused, 16);
  EXPECT_EQ(run(model, request(model, words(7, 1)), &pool).reused, 0);
}

TEST(PrefixPool, GridsThatBeginElsewhereShareNothing) {
  BlockCausal model("llada-tiny", 8);
  std::vector<KvStore> stores(1);
  std::vector<KvStore> empty(1);
  Backend& backend = model.transformer().backend();
  stores[0].reset(backend, 24, 4);
  PrefixPool pool(kPlenty);
  const Visibility by_prompt{.block = 8, .from_prompt = true};
  pool.keep(backend, words(24, 1), by_prompt.of(20), stores);  // blocks end at 4, 12, 20
  EXPECT_EQ(pool.lend(backend, words(24, 1), by_prompt.of(22), empty), 0);
  EXPECT_EQ(pool.lend(backend, words(24, 1), by_prompt.of(28), empty), 20);
  EXPECT_EQ(empty[0].slots(), 20);
}

TEST(PrefixPool, StaysWithinItsBytesAndForgetsWhatIsOld) {
  BlockCausal model("llada-tiny", 8);
  Backend& backend = model.transformer().backend();
  std::vector<KvStore> stores(2);
  for (KvStore& store : stores) store.reset(backend, 64, 4);
  const size_t slot = 2 * stores[0].slot_bytes();
  PrefixPool pool(48 * slot + 1);
  const Visibility blocks = Visibility::block_causal(8);
  const auto lent = [&](int seed) {
    std::vector<KvStore> to(2);
    return pool.lend(backend, words(64, seed), blocks, to);
  };
  pool.keep(backend, words(24, 1), blocks, stores);
  pool.keep(backend, words(24, 2), blocks, stores);
  EXPECT_EQ(pool.bytes(), 48 * slot);
  EXPECT_EQ(lent(1), 24);
  pool.keep(backend, words(16, 3), blocks, stores);  // in the place of 2, which was used before 1
  EXPECT_EQ(lent(2), 0);
  EXPECT_EQ(lent(1), 24);
  pool.keep(backend, words(32, 1), blocks, stores);  // of which the 24 are a part
  EXPECT_EQ(pool.bytes(), 48 * slot);
  pool.keep(backend, words(64, 4), blocks, stores);  // as much as fits
  EXPECT_EQ(lent(4), 48);
  EXPECT_EQ(pool.bytes(), 48 * slot);
  PrefixPool none(0);
  none.keep(backend, words(24, 1), blocks, stores);
  EXPECT_EQ(none.bytes(), 0U);
}

TEST(PrefixPool, OtherMethodsAndGuidanceGoOnAsEver) {
  BlockCausal model("llada-tiny", 8);
  PrefixPool pool(kPlenty);
  run(model, request(model, words(24, 1)), &pool);
  for (const char* method : {"full", "sparsed:select=0.5,block=8", "block-cache:sub_block=4"}) {
    Request r = request(model, words(24, 1));
    r.method = method;
    EXPECT_EQ(run(model, r, &pool).tokens, run(model, r, nullptr).tokens) << method;
  }
  Request guided = request(model, words(24, 1));
  guided.cfg_scale = 0.7;
  const Result shared = run(model, guided, &pool);
  EXPECT_EQ(shared.tokens, run(model, guided, nullptr).tokens);
  EXPECT_EQ(shared.reused, 0);
}

TEST(PrefixPool, RequestsThatJoinAndLeaveEndAsIfAlone) {
  BlockCausal model("dream-tiny", 8);
  std::mt19937 random(5);
  std::vector<Request> requests;
  std::vector<Result> alone;
  for (int i = 0; i < 12; ++i) {
    const auto common = static_cast<int>(random() % 30);
    const auto own = static_cast<int>(random() % 9);
    requests.push_back(request(model, joined(words(common, 1), words(own, i)), 4 + i % 5));
    if (i % 3 == 1) requests.back().sampler.threshold = 0.3;
    if (i % 4 == 2) requests.back().method = "sparse-dllm:keep=0.5";
    alone.push_back(run(model, requests.back(), nullptr));
  }
  int reused = 0;
  for (int round = 0; round < 20; ++round) {
    PrefixPool pool(round % 2 == 0 ? kPlenty : 20'000);
    Engine engine(model.transformer(), {.max_running = 1 + round % 4, .prefixes = &pool});
    std::vector<std::pair<RequestId, size_t>> ids;
    for (int i = 0; i < 16; ++i) {
      const size_t which = random() % requests.size();
      const RequestId id = engine.submit(requests[which]);
      ids.emplace_back(id, which);
      for (size_t s = random() % 12; s > 0; --s) engine.step();
      if (random() % 5 == 0) engine.cancel(id);
    }
    while (engine.step()) {
    }
    for (const auto& [id, which] : ids) {
      const Result r = engine.take(id);
      reused += r.reused;
      EXPECT_TRUE(r.cancelled || r.tokens == alone[which].tokens) << round << " " << which;
    }
  }
  EXPECT_GT(reused, 1000);
}

}  // namespace
}  // namespace unmask
