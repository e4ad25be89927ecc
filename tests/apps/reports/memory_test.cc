#include "apps/reports/memory.h"

#include <gtest/gtest.h>

#include "session/loaded_model.h"

namespace unmask {
namespace {

/// The estimate follows constants of other files; this holds them together.
TEST(MemoryNeed, IsWhatAGenerationAllocates) {
  for (const char* name : {"llada-tiny", "dream-tiny"}) {
    SCOPED_TRACE(name);
    const auto directory = std::filesystem::path(UNMASK_GOLDEN_CHECKPOINTS) / name;
    LoadedModel model(directory, {.weights = WeightType::f32, .threads = 1, .progress = {}});
    constexpr int kCanvas = 1100;  // more rows than one tile of the feed-forward
    Request request = append_masks(std::vector<TokenId>(kCanvas - 8, 1), 8, model.config().mask_id);
    request.steps = 1;
    generate(model.transformer(), {&request, 1});

    const MemoryNeed need = memory_need(model.config(), WeightType::f32, kCanvas);
    const auto workspace = static_cast<double>(model.transformer().workspace_bytes());
    EXPECT_NEAR(static_cast<double>(need.weights),
                static_cast<double>(model.weights().packed_bytes), 0.1 * need.weights);
    // The rows picked for the last layer are few here, and the logits are not the transformer's.
    EXPECT_GT(static_cast<double>(need.workspace), workspace);
    EXPECT_LT(static_cast<double>(need.workspace), 1.5 * workspace);
  }
}

TEST(MemoryNeed, ScalesWithTypeAndRows) {
  ModelConfig config;
  config.vocab_size = 1000;
  config.dim = 64;
  config.n_layers = 2;
  config.n_heads = 4;
  config.n_kv_heads = 2;
  config.head_dim = 16;
  config.ffn_dim = 128;
  const MemoryNeed wide = memory_need(config, WeightType::f32, 100);
  const MemoryNeed narrow = memory_need(config, WeightType::bf16, 100);
  EXPECT_LT(narrow.weights, wide.weights * 6 / 10);
  EXPECT_EQ(narrow.workspace, wide.workspace);
  EXPECT_LT(wide.workspace, memory_need(config, WeightType::f32, 200).workspace);
  EXPECT_EQ(wide.kv_per_token, 2 * 2 * (2 * 16) * 4);
  config.tied_head = true;
  EXPECT_EQ(memory_need(config, WeightType::f32, 100).weights, wide.weights);
}

TEST(Memory, TheSystemSaysWhatItHas) {
  EXPECT_GT(available_memory().value_or(1), 0);
  EXPECT_GT(peak_memory(), int64_t{1} << 20);
}

}  // namespace
}  // namespace unmask
