#include "session/costs.h"

#include <gtest/gtest.h>

#include "kernels/create_backend.h"
#include "support/drafted.h"
#include "support/method_requests.h"
#include "support/model_fixture.h"

namespace unmask {
namespace {

testing::LoadedModel load(const std::string& name) {
  return {std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + name, create_cpu_backend({.threads = 2})};
}

Request request(const ModelConfig& config, const std::string& method) {
  std::vector<TokenId> prompt;
  for (int i = 0; i < 45; ++i) prompt.push_back((i * 37 + 11) % 400);
  Request r = append_masks(prompt, 32, config.mask_id);
  r.block_length = 16;
  r.method = method;
  if (config.family == Family::dream) r.sampler.algorithm = Algorithm::maskgit_plus;
  return r;
}

Explanation explain_on(const ModelConfig& config, const Request& r, const ElementSizes& sizes) {
  return Costs(config, sizes).explain(r);
}

TEST(Explain, PlansTheRowsThatAreComputed) {
  for (const char* name : {"llada-tiny", "dream-tiny"}) {
    auto model = load(name);
    for (const char* method :
         {"full", "sparsed:skip=0.2,block=8", "sliding-window:window=16,block=8", "sparse-dllm",
          "sparse-dllm:prefix_only=true,delay=2", "fast-dllm", "fast-dllm:cache=dual",
          "dllm-cache:prompt_interval=4,gen_interval=3", "maskkv", "streaming-dllm:window=5",
          "sparse-dllm+sparsed:skip=0,block=8"}) {
      const Request r = request(model.config, method);
      const Result real = generate(model.transformer, std::span(&r, 1))[0];
      const Explanation plan = Costs(model.config, {4}).explain(r);
      EXPECT_EQ(plan.rows, real.rows) << name << " " << method;
      EXPECT_EQ(static_cast<int>(plan.steps.size()), real.steps) << name << " " << method;
    }
  }
}

TEST(Explain, CountsTheOperationsOfAFullStep) {
  const ModelConfig c = load_model_config(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny");
  Request r = request(c, "full");
  r.block_length = r.steps = 32;
  r.steps = 1;
  const Explanation plan = explain_on(c, r, {2});
  ASSERT_EQ(plan.steps.size(), 1U);
  const double rows = 77;
  const double asking = 32;  // in the last layer only the masks ask
  const double heads = c.n_heads * c.head_dim;
  const double kv = c.n_kv_heads * c.head_dim;
  const double key_value = 2 * rows * c.dim * kv * c.n_layers;
  const double others = 2 * c.dim * heads + 3.0 * c.dim * c.ffn_dim;  // a row and layer
  const double products =
      2 * (key_value + others * (rows * (c.n_layers - 1) + asking) + asking * c.dim * c.vocab_size);
  EXPECT_DOUBLE_EQ(plan.total.product_operations, products);
  EXPECT_DOUBLE_EQ(plan.total.attention_operations,
                   4 * heads * rows * (rows * (c.n_layers - 1) + asking));
  EXPECT_EQ(plan.steps[0].keys_per_query(), 77);
  EXPECT_EQ(plan.steps[0].density(), 1);
  EXPECT_GT(plan.peak_bytes(), 0U);
}

TEST(Explain, PlansACanvasThatGrowsAtItsLargest) {
  const ModelConfig c = load_model_config(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny");
  for (const char* method : {"full", "fast-dllm:cache=dual", "dllm-cache", "dkv-cache"}) {
    Request fixed = append_masks(std::vector<TokenId>(61, 1), 64, c.mask_id);
    fixed.method = method;
    fixed.block_length = 8;
    Request grows = append_masks(std::vector<TokenId>(61, 1), 16, c.mask_id);
    grows.method = method;
    grows.block_length = 8;
    grows.most_length = 64;
    grows.end_in_sight = 0.5;
    const Explanation plan = explain_on(c, grows, {4});
    EXPECT_EQ(plan.steps.front().canvas, 77);
    EXPECT_EQ(plan.steps.back().canvas, 125);
    EXPECT_GE(plan.request_bytes, explain_on(c, fixed, {4}).request_bytes) << method;
  }
}

TEST(Explain, ShowsWhatAMethodSaves) {
  const ModelConfig c = load_model_config(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny");
  const Explanation sparse = explain_on(c, request(c, "sparsed:skip=0,select=0.2,block=8"), {4});
  EXPECT_EQ(sparse.steps[1].density(), 1) << "the measurement is full";
  EXPECT_LT(sparse.steps[2].density(), 0.5);
  EXPECT_EQ(sparse.steps[0].work.measurements, 0);
  EXPECT_EQ(sparse.steps[1].work.measurements, c.n_layers);
  const Explanation cached = explain_on(c, request(c, "sparse-dllm:keep=0.5"), {4});
  EXPECT_EQ(cached.steps[2].rows, 16);
  EXPECT_EQ(cached.steps[2].keys_per_query(), (77 - 16) / 2 + 16);
  EXPECT_EQ(cached.steps[16].in_block, 0);
}

TEST(Explain, TakesDynamicCommitsAtTheirWorst) {
  const ModelConfig c = load_model_config(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny");
  Request r = request(c, "full");
  r.sampler.threshold = 0.9;
  r.early_stop = true;
  r.eos_ids = {0, 1};
  EXPECT_EQ(explain_on(c, r, {4}).steps.size(), 32U);
}

TEST(Explain, RefusesAnImpossibleRequest) {
  const ModelConfig c = load_model_config(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny");
  EXPECT_THROW(explain_on(c, request(c, "sparsed:block=1"), {4}), Error);
}

/// LLaDA-8B's sizes.
ModelConfig large_config() {
  ModelConfig c = load_model_config(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny");
  c.dim = 4096;
  c.n_layers = 32;
  c.n_heads = c.n_kv_heads = 32;
  c.head_dim = 128;
  c.ffn_dim = 12288;
  c.vocab_size = 126464;
  c.mask_id = 126336;
  return c;
}

TEST(Explain, ModelsNeedNoMemoryOfTheirOwn) {
  const ModelConfig c = large_config();
  Request r = append_masks(std::vector<TokenId>(16000, 5), 32, c.mask_id);
  r.steps = 2;
  const Explanation plan = explain_on(c, r, {2});
  EXPECT_GT(plan.peak_bytes(), size_t{15} << 30);
  EXPECT_GT(plan.total.product_operations, 2 * 13.5e9 * 16000);
}

TEST(Explain, NarrowActivationsLet64kTokensFitBesideTheWeights) {
  const ModelConfig c = large_config();
  Request r = append_masks(std::vector<TokenId>(65536, 5), 128, c.mask_id);
  r.steps = 12;
  r.block_length = 32;
  ElementSizes narrow{
      .bytes_per_weight = 2, .activations = kCudaActivations, .tile_rows = kCudaTileRows};
  const double in_place = static_cast<double>(explain_on(c, r, narrow).peak_bytes());
  narrow.keeps_embeddings = true;
  const double whole = static_cast<double>(explain_on(c, r, narrow).peak_bytes());
  EXPECT_EQ(whole - in_place, 2.0 * c.vocab_size * c.dim);
  EXPECT_LT(whole, 21e9);
  EXPECT_GT(explain_on(c, r, {2}).peak_bytes(), in_place + 2e9);
  r.method = "sparse-dllm:keep=0.5";
  const double half_of_the_cache = 65664.0 * c.dim * c.n_layers * sizeof(uint16_t);
  EXPECT_LT(explain_on(c, r, narrow).peak_bytes(), whole + 1.05 * half_of_the_cache);
}

TEST(Costs, AreWhatAGenerationAllocates) {
  for (const char* name : {"llada-tiny", "dream-tiny"}) {
    for (const char* method : {"full", "sparse-dllm", "fast-dllm:cache=dual"}) {
      SCOPED_TRACE(std::string(name) + " " + method);
      auto model = load(name);
      // More rows than one tile of the feed-forward.
      Request r = append_masks(std::vector<TokenId>(1092, 1), 8, model.config.mask_id);
      r.steps = 4;
      r.method = method;
      if (model.config.family == Family::dream) r.sampler.algorithm = Algorithm::maskgit_plus;
      Engine engine(model.transformer);
      const RequestId id = engine.submit(r);
      size_t most = 0;
      for (int i = 0; i < 3; ++i) {
        engine.step();
        most = std::max(most, engine.state_bytes(id) + engine.workspace_bytes());
      }
      const Costs costs(model.config, element_sizes(DeviceKind::cpu, WeightType::f32));
      const auto planned = static_cast<double>(costs.request_bytes(r));
      EXPECT_LE(static_cast<double>(most), planned);
      // What attention packs of a layer whose keys nobody keeps lies in the backend.
      const int width = model.config.n_kv_heads * ((model.config.head_dim + 31) / 32 * 32);
      most += 2 * dense_bytes(1120, width, DType::f32);
      EXPECT_GE(static_cast<double>(most), 0.95 * planned);
      EXPECT_EQ(static_cast<size_t>(costs.weight_bytes()), costs.explain(r).weight_bytes);
      EXPECT_NEAR(static_cast<double>(costs.weight_bytes()),
                  static_cast<double>(model.weights.packed_bytes), 0.1 * costs.weight_bytes());
    }
  }
}

TEST(Costs, PlansCoverEveryCache) {
  for (const std::string name : {"llada-tiny", "dream-tiny"}) {
    auto model = load(name);
    const Costs costs(model.config, element_sizes(DeviceKind::cpu, WeightType::f32));
    for (const std::string& method : testing::methods_of(name)) {
      SCOPED_TRACE(name + " " + method);
      const Request r = testing::method_request(model, method, 300, 32, 16, 8);
      std::string why;
      for (const auto& request : {std::optional(r), testing::drafted(r, 4, model.config, why)}) {
        if (!request) continue;
        Engine engine(model.transformer);
        const RequestId id = engine.submit(*request);
        size_t most = 0;
        while (engine.step()) {
          most = std::max(most, engine.state_bytes(id) + engine.workspace_bytes());
        }
        EXPECT_GT(most, 0U);
        EXPECT_LE(static_cast<int64_t>(most), costs.request_bytes(*request));
      }
    }
  }
}

TEST(Explain, CountsTheRowsOfDraftsAsIfNoneWereRight) {
  for (const char* name : {"llada-tiny", "dream-tiny"}) {
    auto model = load(name);
    Request r = request(model.config, "full");  // two blocks of 16, a canvas of 77
    r.sampler.counts = Counts::even;  // Dream's own has a step of two tokens, and one of none
    r.sampler.drafts = 4;
    const Explanation plan = explain_on(model.config, r, {4});
    // Alone in the block's first step, and as many as there are steps left in the last ones.
    EXPECT_EQ(plan.rows, 2 * 77 * (1 + 12 * 4 + 3 + 2 + 1));
    EXPECT_EQ(plan.steps.size(), 32U);
    const Result real = generate(model.transformer, std::span(&r, 1))[0];
    EXPECT_LE(real.rows, plan.rows);
    EXPECT_EQ(real.steps, 32);
    Request plain = r;
    plain.sampler.drafts.reset();
    EXPECT_GT(plan.request_bytes, explain_on(model.config, plain, {4}).request_bytes);
  }
}

TEST(Costs, ScaleWithTypeAndRows) {
  const ModelConfig c = load_model_config(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny");
  const Costs wide(c, element_sizes(DeviceKind::cpu, WeightType::f32));
  const Costs narrow(c, element_sizes(DeviceKind::cpu, WeightType::bf16));
  EXPECT_LT(narrow.weight_bytes(), wide.weight_bytes() * 6 / 10);
  EXPECT_LE(narrow.canvas_bytes(100), wide.canvas_bytes(100));
  EXPECT_LT(wide.canvas_bytes(100), wide.canvas_bytes(200));
  EXPECT_EQ(wide.kv_bytes_per_token(), 2 * c.n_kv_heads * c.head_dim * c.n_layers * 4);
}

TEST(Costs, KnowWhatBackendsStore) {
  const auto cpu = create_cpu_backend({.threads = 1});
  const ElementSizes sizes = element_sizes(DeviceKind::cpu, WeightType::f32);
  EXPECT_EQ(sizes.activations, cpu->activation_type());
  EXPECT_EQ(sizes.tile_rows, cpu->tile_rows());
  const ElementSizes device = element_sizes(DeviceKind::cuda, WeightType::bf16);
  EXPECT_EQ(device.activations, kCudaActivations);
  EXPECT_EQ(device.tile_rows, kCudaTileRows);
  EXPECT_TRUE(device.keeps_embeddings);
}

TEST(Roofline, ProductsTakeTheirOperationsOrTheirWeights) {
  const Rates rates{.products = 100, .attention = 50, .read = 10};
  WorkCount work{.product_operations = 200, .attention_operations = 100, .weight_bytes = 10};
  EXPECT_DOUBLE_EQ(roofline_seconds(work, rates), 2 + 2);
  work.weight_bytes = 40;
  EXPECT_DOUBLE_EQ(roofline_seconds(work, rates), 4 + 2);
}

}  // namespace
}  // namespace unmask
