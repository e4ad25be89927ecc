// The probe against what the backend computes itself: its probabilities times the values that a
// query sees are the output of attention, for every kind of method.
#include "eval/attention_probe.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "core/error.h"
#include "generate/engine.h"
#include "methods/registry.h"
#include "support/model_fixture.h"

namespace unmask {
namespace {

constexpr int kPrompt = 29;
constexpr int kGenerated = 24;
constexpr int kLength = kPrompt + kGenerated;
constexpr int kSteps = 12;

testing::LoadedModel load(const std::string& name) {
  return {std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + name, testing::make_backend("cpu")};
}

Request request(const ModelConfig& config, const std::string& method) {
  std::vector<TokenId> prompt;
  for (int i = 0; i < kPrompt; ++i) prompt.push_back((i * 37 + 11) % 400);
  Request r = append_masks(prompt, kGenerated, config.mask_id);
  r.block_length = kGenerated / 2;
  r.steps = kSteps;
  r.method = method;
  if (config.family == Family::dream) r.sampler.algorithm = Algorithm::entropy;
  return r;
}

AttentionRecord every_step(int layer, int unit = 1) {
  AttentionRecord record{.layer = layer,
                         .length = kLength,
                         .prompt_length = kPrompt,
                         .block_length = kGenerated / 2,
                         .total_steps = kSteps,
                         .cell = unit,
                         .score_block = 8,
                         .heads = {0, 1, 3}};
  for (int s = 0; s < kSteps; ++s) record.steps.push_back({.step = s});
  return record;
}

/// What attention gave in one step: outputs and the values by position.
struct Output {
  int step;
  std::vector<int> queries;
  std::vector<float> context;               // [queries, n_heads * head_dim]
  std::vector<std::vector<double>> values;  // [kv heads][length * head_dim]
};

/// A method that runs attention once more and keeps what comes out.
class Spy final : public MethodWrapper {
 public:
  Spy(std::unique_ptr<Method> inner, int layer, std::vector<Output>& outputs)
      : MethodWrapper(std::move(inner)), layer_(layer), outputs_(outputs) {}

  Attention attend(AttendScope& scope) override {
    const Attention seen = inner().attend(scope);
    if (scope.layer == layer_ && scope.q.rows > 0) keep(scope, seen);
    return seen;
  }

 private:
  void keep(const AttendScope& scope, const Attention& seen) {
    Output out{scope.step.index, {scope.positions.begin(), scope.positions.end()}, {}, {}};
    const size_t size = static_cast<size_t>(scope.q.rows) * static_cast<size_t>(scope.q.cols);
    const Buffer memory = scope.backend.allocate(size * sizeof(float));
    const Tensor context = memory.view(scope.q.rows, scope.q.cols);
    const AttentionTask task{.q = scope.q,
                             .kv = seen.kv,
                             .out = context,
                             .pattern = seen.pattern,
                             .positions = scope.positions};
    scope.backend.attention(std::span(&task, 1), scope.shape);
    out.context.resize(size);
    scope.backend.download(context, out.context.data());
    for (int h = 0; h < scope.shape.n_kv_heads; ++h) out.values.push_back(values(scope, seen, h));
    outputs_.push_back(std::move(out));
  }
  std::vector<double> values(const AttendScope& scope, const Attention& seen, int head) const {
    const auto dim = static_cast<size_t>(scope.shape.head_dim);
    const Tensor v = seen.kv.v;
    const auto width = static_cast<size_t>(v.cols);
    std::vector<float> all(static_cast<size_t>(v.rows) * width);
    scope.backend.download(v, all.data());
    std::vector<int> positions(scope.positions.begin(), scope.positions.end());
    if (seen.kv.k.data != scope.k.data) positions = inner().slot_positions(scope, head);
    std::vector<double> out(kLength * dim);
    for (size_t s = 0; s < positions.size(); ++s) {
      for (size_t d = 0; d < dim; ++d) {
        out[static_cast<size_t>(positions[s]) * dim + d] =
            static_cast<double>(all[s * width + static_cast<size_t>(head) * dim + d]);
      }
    }
    return out;
  }

  int layer_;
  std::vector<Output>& outputs_;
};

/// Probabilities are doubles rounded to float32, the output is a float32 sum of at most 53 terms.
constexpr double kTolerance = 2e-5;

void expect_same(const AttentionGrid& map, const Output& output, int head, const ModelConfig& c) {
  const auto dim = static_cast<size_t>(c.head_dim);
  const std::vector<double>& values =
      output.values[static_cast<size_t>(head / (c.n_heads / c.n_kv_heads))];
  for (size_t r = 0; r < output.queries.size(); ++r) {
    double total = 0;
    std::vector<double> sum(dim);
    for (int k = 0; k < kLength; ++k) {
      const double p = static_cast<double>(map.at(output.queries[r], k));
      total += p;
      for (size_t d = 0; d < dim; ++d) sum[d] += p * values[static_cast<size_t>(k) * dim + d];
    }
    ASSERT_NEAR(total, 1, 1e-6);
    for (size_t d = 0; d < dim; ++d) {
      const size_t column = static_cast<size_t>(head) * dim + d;
      const size_t at = r * static_cast<size_t>(c.n_heads) * dim + column;
      ASSERT_NEAR(sum[d], static_cast<double>(output.context[at]), kTolerance);
    }
  }
}

const std::vector<std::string> kMethods{"full",
                                        "sparsed:skip=0.1,select=0.3,block=8",
                                        "streaming-llm:window=16,sinks=3,block=8,skip=0.2",
                                        "sparse-dllm:keep=0.4,delay=1",
                                        "maskkv:keep=0.4",
                                        "streaming-dllm:window=5",
                                        "sparse-dllm+sparsed:skip=0,select=0.3,block=8",
                                        "fast-dllm",
                                        "fast-dllm:cache=dual",
                                        "dkv-cache",
                                        "dllm-cache:gen_interval=3,prompt_interval=5"};

/// One generation alone and one watched; the record and the outputs of the latter must agree.
void check_method(testing::LoadedModel& model, const std::string& method, int layer) {
  Request r = request(model.config, method);
  const auto plain = generate(model.transformer, std::span(&r, 1));
  AttentionRecord record = every_step(layer);
  std::vector<Output> outputs;
  r.observe = [&](std::unique_ptr<Method> inner) {
    return std::make_unique<AttentionProbe>(std::make_unique<Spy>(std::move(inner), layer, outputs),
                                            record);
  };
  const auto observed = generate(model.transformer, std::span(&r, 1));
  EXPECT_EQ(observed[0].tokens, plain[0].tokens) << "observing changes nothing";
  ASSERT_FALSE(outputs.empty());
  for (const Output& output : outputs) {
    const StepObservation& step = record.steps[static_cast<size_t>(output.step)];
    ASSERT_EQ(step.heads.size(), record.heads.size());
    EXPECT_EQ(step.rows, static_cast<int>(output.queries.size()));
    for (const HeadObservation& head : step.heads) {
      expect_same(head.map, output, head.head, model.config);
    }
  }
}

TEST(AttentionProbe, SeesWhatAttentionComputes) {
  for (const std::string name : {"llada-tiny", "dream-tiny"}) {
    auto model = load(name);
    // The last layer is where fewer queries would be computed if nobody watched.
    const int layer = name == "llada-tiny" ? model.config.n_layers - 1 : 1;
    for (const std::string& method : kMethods) {
      SCOPED_TRACE(name + " " + method);
      check_method(model, method, layer);
    }
  }
}

AttentionRecord observe(testing::LoadedModel& model, const std::string& method,
                        AttentionRecord record) {
  Request r = request(model.config, method);
  r.observe = [&](std::unique_ptr<Method> inner) {
    return std::make_unique<AttentionProbe>(std::move(inner), record);
  };
  generate(model.transformer, std::span(&r, 1));
  return record;
}

TEST(AttentionProbe, ShowsWhatAMethodComputesChoosesAndKeeps) {
  auto model = load("llada-tiny");
  const AttentionRecord sparse =
      observe(model, "sparsed:skip=0.1,select=0.3,block=16", every_step(2));
  EXPECT_FALSE(sparse.steps[2].heads[0].chosen);
  ASSERT_TRUE(sparse.steps[3].heads[0].chosen);
  const ChosenBlocks& chosen = *sparse.steps[3].heads[0].chosen;
  EXPECT_EQ(chosen.block_size, 16);
  EXPECT_EQ(chosen.lists.size(), 4U);
  EXPECT_FALSE(sparse.steps[3].heads[0].kept);

  const AttentionRecord cached = observe(model, "sparse-dllm:keep=0.5,delay=1", every_step(2));
  EXPECT_FALSE(cached.steps[0].heads[0].kept) << "the cache is built in the next step";
  const size_t kept = (kLength - kGenerated / 2) / 2 + kGenerated / 2;
  EXPECT_EQ(cached.steps[1].heads[0].kept->size(), kept);
  EXPECT_EQ(cached.steps[1].rows, kLength);
  const HeadObservation& later = cached.steps[3].heads[0];
  EXPECT_EQ(cached.steps[3].rows, kGenerated / 2);
  EXPECT_FALSE(later.map.computed(0));
  EXPECT_TRUE(later.map.computed(kPrompt));
  for (int key = 0; key < kLength; ++key) {
    const bool in = std::binary_search(later.kept->begin(), later.kept->end(), key);
    EXPECT_EQ(later.map.at(kPrompt, key) > 0, in) << key;
  }
  EXPECT_FALSE(cached.steps[6].heads[0].kept) << "a new block begins without a cache";
}

TEST(AttentionProbe, AveragesIntoCellsAndBlocks) {
  auto model = load("llada-tiny");
  const AttentionRecord fine = observe(model, "full", every_step(1));
  const AttentionRecord coarse = observe(model, "full", every_step(1, 10));
  const AttentionGrid& one = fine.steps[4].heads[1].map;
  const AttentionGrid& ten = coarse.steps[4].heads[1].map;
  ASSERT_EQ(ten.cells, 6);
  for (const int q : {0, 5}) {  // the last cell holds three positions
    double sum = 0;
    const int end = std::min(kLength, (q + 1) * 10);
    for (int query = q * 10; query < end; ++query) {
      for (int key = 50; key < kLength; ++key) sum += static_cast<double>(one.at(query, key));
    }
    EXPECT_NEAR(static_cast<double>(ten.at(q, 5)), sum / (end - q * 10) / (kLength - 50), 1e-6);
  }
  const AttentionGrid& blocks = fine.steps[4].heads[1].blocks;
  for (int q = 0; q < blocks.cells; ++q) {
    double sum = 0;
    for (int k = 0; k < blocks.cells; ++k) sum += static_cast<double>(blocks.at(q, k));
    EXPECT_NEAR(sum, 1, 1e-6);
  }
}

/// Keeps a cache and does not say what is in it.
class Secretive final : public Method {
 public:
  std::string_view name() const override { return "secretive"; }
  Attention attend(AttendScope& scope) override {
    scope.store.reset(scope.backend, 3, scope.k.cols);
    return {scope.store.view()};
  }
};

TEST(AttentionProbe, RefusesACacheOfUnknownPositions) {
  auto model = load("llada-tiny");
  AttentionRecord record = every_step(0);
  Request r = request(model.config, "full");
  r.observe = [&](std::unique_ptr<Method>) {
    return std::make_unique<AttentionProbe>(std::make_unique<Secretive>(), record);
  };
  EXPECT_THROW(generate(model.transformer, std::span(&r, 1)), Error);
}

}  // namespace
}  // namespace unmask
