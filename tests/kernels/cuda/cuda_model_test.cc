// Whole generations on the CUDA backend over a device of host memory.
#include <gtest/gtest.h>

#include "kernels/cuda/backend.h"
#include "support/far_backend.h"
#include "support/method_requests.h"

namespace unmask {
namespace {

testing::LoadedModel load(const std::string& name, std::unique_ptr<Backend> backend,
                          const ModelOverrides& overrides = {}) {
  return {std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + name, std::move(backend), overrides};
}

/// Keeps nothing between calls and chooses blocks on the host.
class Forgetful final : public testing::FarBackend {
 public:
  using FarBackend::FarBackend;

  void attention(std::span<const AttentionTask> tasks, const HeadShape& shape) override {
    std::vector<AttentionTask> plain(tasks.begin(), tasks.end());
    for (AttentionTask& task : plain) {
      task.kv.packed = nullptr;
      if (task.importance != nullptr) task.importance->selection.reset();
      if (task.pattern != nullptr) task.pattern->packed().reset();
    }
    FarBackend::attention(plain, shape);
  }
};

TEST(CudaModel, BlockCausalCachesGiveTheTokensOfNoCache) {
  for (const std::string name : {"llada-tiny", "dream-tiny"}) {
    for (const int visible : {4, 8, 13}) {
      auto model = load(name, cuda::create_backend({.threads = 1}));
      model.config.visibility = Visibility::block_causal(visible);
      Transformer transformer(model.config, model.weights, *model.backend);
      const Request full = testing::method_request(model, "full", 19, 24, 8, 12);
      Request cached = full;
      cached.method = "block-cache";
      EXPECT_EQ(generate(transformer, {&cached, 1})[0].tokens,
                generate(transformer, {&full, 1})[0].tokens)
          << name << ", blocks of " << visible;
    }
  }
}

TEST(CudaModel, ANeighbourThatComputesSomeRowsChangesNoRounding) {
  auto model = load("llada-tiny", cuda::create_backend({.threads = 1}));
  const Request full = testing::method_request(model, "full", 24, 16, 16, 8);
  const std::vector<Request> both{
      testing::method_request(model, "dllm-cache:prompt_interval=4,gen_interval=3", 16, 16, 16, 8),
      full};
  using Sureties = std::vector<std::pair<TokenId, float>>;
  const auto run = [&](std::span<const Request> requests) {
    Sureties found;
    const RequestId last = static_cast<RequestId>(requests.size()) - 1;
    generate(model.transformer, requests, [&](const StepEvent& e) {
      for (const Decision& d : e.decided) {
        if (e.request == last) found.emplace_back(d.token, d.confidence);
      }
      return true;
    });
    return found;
  };
  EXPECT_EQ(run(both), run({&full, 1}));
}

TEST(CudaModel, WhatIsKeptOnTheDeviceChangesNothing) {
  auto keeping = load("llada-tiny", cuda::create_backend({.threads = 1}));
  auto forgetful =
      load("llada-tiny", std::make_unique<Forgetful>(cuda::create_backend({.threads = 1})));
  std::vector<Request> requests;
  for (const char* method :
       {"full", "sparsed:skip=0.2,select=0.3,block=8", "sparse-dllm:keep=0.5", "maskkv:keep=0.4",
        "dllm-cache:prompt_interval=4,gen_interval=3", "dkv-cache:refresh=3",
        "es-dllm:block_update=4", "fast-dllm:cache=dual+sparsed:skip=0,select=0.3,block=8",
        "streaming-dllm:window=6"}) {
    requests.push_back(testing::method_request(keeping, method, 19, 16, 8, 8));
  }
  requests[0].cfg_scale = 0.5;
  const std::vector<Result> kept = generate(keeping.transformer, requests);
  const std::vector<Result> fresh = generate(forgetful.transformer, requests);
  for (size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(kept[i].masks_left, 0);
    EXPECT_EQ(kept[i].tokens, fresh[i].tokens) << requests[i].method;
  }
}

/// Rounding to bfloat16 moves logits by about 1 %, so a near-tie may fall the other way, and what
/// follows it then differs: most tokens of a short text must agree. Where experts nearly tie, a row
/// may take another one as well.
TEST(CudaModel, GivesTheTextOfFloat32) {
  // The files of the last three, which have experts, name no mask; those of the last two no block.
  const ModelOverrides masks{.mask_id = 501};
  const ModelOverrides blocks{.mask_id = 501, .block = 4};
  for (const auto& [name, overrides] :
       {std::pair("llada-tiny", ModelOverrides()), std::pair("dream-tiny", ModelOverrides()),
        std::pair("lladamoe-tiny", masks), std::pair("llada2-tiny", blocks),
        std::pair("sdar-moe-tiny", blocks)}) {
    auto exact = load(name, create_cpu_backend({.threads = 1}), overrides);
    auto cuda = load(name, cuda::create_backend({.threads = 1}), overrides);
    int same = 0;
    for (int prompt = 5; prompt < 25; prompt += 5) {
      Request r = testing::method_request(exact, "full", prompt, 12, 12, 6);
      if (exact.config.visibility.is_block_causal()) {
        r.method = "block-cache";
        r.block_length = 4;
      }
      const auto expected = generate(exact.transformer, {&r, 1})[0].tokens;
      const auto found = generate(cuda.transformer, {&r, 1})[0].tokens;
      for (size_t i = static_cast<size_t>(prompt); i < found.size(); ++i) {
        same += found[i] == expected[i] ? 1 : 0;
      }
    }
    EXPECT_GE(same, 36) << name << ", of 48";
  }
}

}  // namespace
}  // namespace unmask
