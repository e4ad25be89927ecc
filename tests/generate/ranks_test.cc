// A model on several ranks generates what it generates on one, bit by bit; what rank 0 does with it
// the others follow.
#include <atomic>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <numeric>

#include "session/costs.h"
#include "support/error_of.h"
#include "support/led_model.h"
#include "support/limited_backend.h"

namespace unmask {
namespace {

using testing::checkpoint;
using testing::expect_same;
using testing::generated;
using ::testing::HasSubstr;
using testing::Led;
using testing::LimitedBackend;
using testing::LoadedModel;
using testing::overrides_of;
using testing::ThreadRanks;

Request request_of(const LoadedModel& model, const std::string& method) {
  return testing::method_request(model, method, 13, 16, 8, 16);
}

constexpr JointOptions kColumns{.split = RankSplit::columns};
constexpr JointOptions kRows{.split = RankSplit::rows};

/// On so many ranks that share `joint`.
void expect_every_method_the_same(const JointOptions& joint, const std::vector<int>& counts) {
  for (const std::string name : {"llada-tiny", "dream-tiny"}) {
    expect_same({.name = name, .joint = joint}, counts, [&](const LoadedModel& m) {
      std::vector<Request> all;
      for (const std::string& method : testing::methods_of(name)) {
        all.push_back(request_of(m, method));
      }
      return all;
    });
  }
}

TEST(Ranks, EveryMethodGivesTheBitsOfOneRank) { expect_every_method_the_same(kColumns, {3}); }
TEST(Ranks, EveryMethodGivesThemWithRowsSplit) { expect_every_method_the_same(kRows, {2, 5}); }

void expect_every_type_the_same(const JointOptions& joint, const std::vector<int>& counts) {
  for (const std::string name : {"llada-tiny", "dream-tiny", "lladamoe-tiny", "llada2-tiny",
                                 "sdar-moe-tiny", "sdar-tied", "a2d-qwen3-mha"}) {
    for (const WeightType type : kWeightTypes) {
      const Led led{.name = name, .weights = type, .joint = joint};
      expect_same(led, counts, [&](const LoadedModel& m) {
        std::vector<Request> both{request_of(m, "full")};
        if (m.config.visibility.is_block_causal()) {
          both.push_back(request_of(m, "block-cache"));
        } else {
          both.push_back(request_of(m, "sparse-dllm:keep=0.3,kernel=1,delay=0"));
          both.push_back(request_of(m, "sparsed:skip=0.2,select=0.5,block=8"));
        }
        both[0].cfg_scale = 0.5;
        return both;
      });
    }
  }
}

TEST(Ranks, EveryTypeAndFamilyGivesTheBitsOfOneRank) {
  expect_every_type_the_same(kColumns, {2, 4});
}
TEST(Ranks, EveryTypeAndFamilyGivesThemWithRowsSplit) { expect_every_type_the_same(kRows, {3}); }

TEST(Ranks, FewRowsAreComputedByAll) {
  // The canvas has 29 rows, cached steps fewer: all kinds of passes.
  for (const int fewest : {4, 7, 1000}) {
    const Led led{.name = "llada-tiny", .joint = kRows, .fewest_rows = fewest};
    expect_same(led, {2, 4}, [](const LoadedModel& m) {
      return std::vector{request_of(m, "fast-dllm"), request_of(m, "dllm-cache"),
                         request_of(m, "sparsed:skip=0.2,select=0.5,block=8")};
    });
  }
}

TEST(Ranks, VerificationPassesWhereAllComputeTheSame) {
  for (const RankSplit split : {RankSplit::columns, RankSplit::rows}) {
    const Led led{.name = "llada-tiny",
                  .weights = WeightType::int8,
                  .joint = {.split = split, .verifies = true}};
    expect_same(led, {3}, [](const LoadedModel& m) {
      return std::vector{request_of(m, "fast-dllm:cache=dual"), request_of(m, "maskkv")};
    });
  }
}

/// Computes norms a little off.
class Deviating : public BackendWrapper {
 public:
  using BackendWrapper::BackendWrapper;
  void rms_norm(Tensor x, Tensor weight, float eps, Tensor out) override {
    BackendWrapper::rms_norm(x, weight, eps * 1.5F, out);
  }
};

TEST(Ranks, VerificationNamesTheRankThatDiffers) {
  for (const RankSplit split : {RankSplit::columns, RankSplit::rows}) {
    Led led{.name = "llada-tiny", .joint = {.split = split, .verifies = true}};
    led.wrap = [](std::unique_ptr<Backend> own, int rank) -> std::unique_ptr<Backend> {
      if (rank != 2) return own;
      return std::make_unique<Deviating>(std::move(own));
    };
    led.on(3, [](LoadedModel& model) {
      EXPECT_THAT(testing::error_of([&] { generated(model, {request_of(model, "full")}); }),
                  HasSubstr("[ranks] rank 2 of 3 has computed something else: found hash "));
    });
  }
}

TEST(Ranks, WorkThatWasStoppedGoesOnWithTheNextRequest) {
  std::atomic<bool> flag = false;
  LoadedModel alone(checkpoint("llada-tiny"), create_cpu_backend({.threads = 1}));
  const Led led{.name = "llada-tiny", .stop = StopToken(flag)};
  led.on(2, [&](LoadedModel& model) {
    const Request r = request_of(model, "fast-dllm");
    const Result stopped = generate(model.transformer, {&r, 1}, [&](const StepEvent& event) {
                             if (event.step == 3) flag = true;
                             return true;
                           }).front();
    EXPECT_TRUE(stopped.cancelled);
    EXPECT_EQ(stopped.steps, 4);
    flag = false;
    EXPECT_EQ(generated(model, {r}), generated(alone, {r}));
  });
}

TEST(Ranks, FollowersFreeWhatTheLeaderFrees) {
  std::vector<LimitedBackend*> memory(3);
  Led led{.name = "llada-tiny"};
  led.wrap = [&](std::unique_ptr<Backend> own, int rank) {
    auto limited = std::make_unique<LimitedBackend>(std::move(own));
    memory[static_cast<size_t>(rank)] = limited.get();
    return limited;
  };
  led.on(3, [&](LoadedModel& model) {
    for (const std::string& method : testing::methods_of("llada-tiny")) {
      generated(model, {request_of(model, method)});
    }
    // All are in a product, so the messages before it are done.
    const int dim = model.config.dim;
    const Buffer buffer = model.backend->allocate(2 * sizeof(float) * static_cast<size_t>(dim));
    const Tensor both = buffer.view(2, dim);
    model.backend->linear(both.slice({0, 1}), {.weights = model.weights.layers[0].attn_out.get(),
                                               .out = both.slice({1, 2})});
    EXPECT_EQ(memory[1]->live_bytes(), memory[0]->live_bytes());
    EXPECT_EQ(memory[2]->live_bytes(), memory[0]->live_bytes());
  });
}

TEST(Ranks, AFollowerWithoutMemoryEndsAllAndIsNamed) {
  Led led{.name = "llada-tiny"};
  LimitedBackend* second = nullptr;
  led.wrap = [&](std::unique_ptr<Backend> own, int rank) -> std::unique_ptr<Backend> {
    if (rank != 1) return own;
    auto limited = std::make_unique<LimitedBackend>(std::move(own));
    second = limited.get();
    return limited;
  };
  const std::string error = testing::error_of([&] {
    led.on(3, [&](LoadedModel& model) {
      generated(model, {request_of(model, "full")});
      second->fail_after(0);
      generated(model, {request_of(model, "fast-dllm")});
    });
  });
  EXPECT_EQ(error, "[ranks] rank 1 of 3: [test] out of memory");
}

/// What each rank receives while it makes the calls of the others by itself.
struct Received {
  std::string name;  // of the model
  WeightType weights = WeightType::f32;
};
std::vector<int64_t> received_by_each(const Received& about, int n, RankSplit split,
                                      const Request& request) {
  std::vector<int64_t> received(static_cast<size_t>(n));
  ThreadRanks ranks(n);
  ranks.each([&](Communicator& own) {
    std::unique_ptr<Backend> backend;
    if (split == RankSplit::rows) {
      const CpuOptions cpu{.threads = 1, .weights = about.weights};
      backend = create_row_split(
          create_cpu_backend(cpu), own,
          {.fewest_rows = 1, .keys = keys_of_attention(about.weights, cpu.kernels)});
    } else {
      backend = create_cpu_backend({.threads = 1, .weights = about.weights, .ranks = &own});
    }
    LoadedModel model(checkpoint(about.name), std::move(backend), overrides_of(about.name));
    generate(model.transformer, {&request, 1});
    received[static_cast<size_t>(own.rank())] = own.traffic().bytes;
  });
  return received;
}

int64_t received_by_all(const Received& about, int n, RankSplit split, const Request& request) {
  const std::vector<int64_t> each = received_by_each(about, n, split, request);
  return std::accumulate(each.begin(), each.end(), int64_t{0});
}

Request one_step(const LoadedModel& model, int prompt_length = 13) {
  Request r = testing::method_request(model, "full", prompt_length, 16, 8, 16);
  r.steps = 1;
  r.block_length = r.gen_length();
  return r;
}

TEST(Ranks, ExchangeTheBytesThatTheDocumentComputes) {
  const LoadedModel model(checkpoint("llada-tiny"), create_cpu_backend({.threads = 1}));
  const Request r = one_step(model);
  const ModelConfig& c = model.config;
  const bool narrow = cpu_capabilities(environment::cpu_kernels()).bf16_inputs;
  const auto rows = static_cast<int64_t>(r.tokens.size());
  const int64_t open = r.gen_length();
  // In the last layer only open positions have queries and go through the feed-forward.
  const int64_t asking = (c.n_layers - 1) * rows + open;
  const int64_t keys_and_values = c.n_layers * rows * 2 * c.n_kv_heads * c.head_dim;
  const int64_t logits = open * c.vocab_size;
  const int64_t attended = int64_t{c.n_heads} * c.head_dim;  // as wide as queries
  const int64_t results = asking * (attended + 2 * int64_t{c.dim});
  const int64_t inputs = asking * (attended + c.ffn_dim);
  for (const int n : {2, 3, 4}) {
    const std::pair<WeightType, int64_t> input_bytes[] = {
        {WeightType::f32, 4 * inputs},
        {WeightType::bf16, (narrow ? 2 : 4) * inputs},
        {WeightType::int8, inputs + asking * 2 * 4 * n}};  // two scales a row, of every rank
    for (const auto& [type, bytes] : input_bytes) {
      EXPECT_EQ(received_by_all({"llada-tiny", type}, n, RankSplit::columns, r),
                (4 * (results + keys_and_values + logits) + bytes) * (n - 1))
          << weight_type_name(type);
    }
    for (const WeightType type : {WeightType::f32, WeightType::bf16}) {
      const auto key_bytes =
          static_cast<int64_t>(dtype_bytes(keys_of_attention(type, environment::cpu_kernels())));
      EXPECT_EQ(received_by_all({"llada-tiny", type}, n, RankSplit::rows, r),
                (key_bytes * keys_and_values + 4 * logits) * (n - 1))
          << weight_type_name(type);
    }
  }
}

TEST(Ranks, ExchangeTheBytesThatAPlanCounts) {
  for (const std::string name : {"dream-tiny", "lladamoe-tiny", "llada2-tiny"}) {
    const LoadedModel model(checkpoint(name), create_cpu_backend({.threads = 1}),
                            overrides_of(name));
    const Request r = one_step(model);
    const Request longer = one_step(model, 100);  // enough rows for three ranks
    for (const WeightType type : kWeightTypes) {
      const Costs costs(model.config, element_sizes(DeviceKind::cpu, type));
      EXPECT_EQ(static_cast<double>(received_by_all({name, type}, 3, RankSplit::columns, r)),
                2 * costs.on_ranks(3).explain(r).total.result_bytes)
          << name << ", " << weight_type_name(type);
      EXPECT_EQ(received_by_each({name, type}, 3, RankSplit::rows, longer).back(),
                costs.explain_rows(longer, 3).received.bytes)
          << name << ", " << weight_type_name(type);
      EXPECT_EQ(costs.explain_rows(r, 3).received.bytes, 0) << name;
    }
  }
}

TEST(Ranks, APlanCountsTheKeysThatAWindowSees) {
  const LoadedModel model(checkpoint("llada-tiny"), create_cpu_backend({.threads = 1}));
  const Costs costs(model.config, element_sizes(DeviceKind::cpu, WeightType::bf16));
  Request r = one_step(model, 180);  // enough rows for three ranks
  const int64_t all = costs.explain_rows(r, 3).received.bytes;
  r.method = "sliding-window:window=16,block=8";
  const int64_t planned = costs.explain_rows(r, 3).received.bytes;
  EXPECT_EQ(received_by_each({"llada-tiny", WeightType::bf16}, 3, RankSplit::rows, r).back(),
            planned);
  EXPECT_LT(planned, all / 2);
}

TEST(Ranks, APlanEstimatesTheKeysThatSparsedLists) {
  const LoadedModel model(checkpoint("llada-tiny"), create_cpu_backend({.threads = 1}));
  const Costs costs(model.config, element_sizes(DeviceKind::cpu, WeightType::bf16));
  Request r = one_step(model, 180);
  r.steps = 4;
  for (const std::string unit : {"block", "column"}) {
    for (const std::string select : {"0.1", "0.3"}) {
      r.method = "sparsed:skip=0.2,block=8,select=" + select + ",unit=" + unit;
      const auto planned = static_cast<double>(costs.explain_rows(r, 3).received.bytes);
      const auto received = static_cast<double>(
          received_by_each({"llada-tiny", WeightType::bf16}, 3, RankSplit::rows, r).back());
      EXPECT_NEAR(received, planned, 0.15 * planned) << r.method;
    }
  }
}

}  // namespace
}  // namespace unmask
