// The last layer computes the queries that are read and those that a method names, and nothing
// beyond: what comes out has the bits of a layer that computes all.
#include <gtest/gtest.h>

#include "methods/method_wrapper.h"
#include "session/costs.h"
#include "support/method_requests.h"

namespace unmask {
namespace {

/// Where a method names queries, it gets all of them.
class AsksForAll final : public MethodWrapper {
 public:
  using MethodWrapper::MethodWrapper;
  StepPlan plan_step(const Step& step) override {
    StepPlan plan = MethodWrapper::plan_step(step);
    if (plan.queries.size() > 0) plan.queries = step.all();
    return plan;
  }
};

Request asking_for_all(Request r) {
  r.observe = [](std::unique_ptr<Method> inner) {
    return std::make_unique<AsksForAll>(std::move(inner));
  };
  return r;
}

TEST(AskedQueries, GiveTheBitsOfAllQueries) {
  for (const std::string name : {"llada-tiny", "dream-tiny"}) {
    testing::LoadedModel model(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + name,
                               create_cpu_backend({.threads = 2}));
    std::vector<Request> requests;
    for (const char* method : {"sparse-dllm:keep=0.3", "sparse-dllm:delay=0,refresh=window",
                               "maskkv:keep=0.4", "sparse-dllm+sparsed:skip=0,block=8"}) {
      requests.push_back(testing::method_request(model, method, 45, 32, 16, 32));
    }
    const auto decisions = [&](std::span<const Request> asked) {
      std::vector<std::tuple<RequestId, int, TokenId, float>> all;
      generate(model.transformer, asked, [&](const StepEvent& event) {
        for (const Decision& d : event.decided) {
          all.emplace_back(event.request, d.position, d.token, d.confidence);
        }
        return true;
      });
      return all;
    };
    std::vector<Request> whole;
    for (const Request& r : requests) whole.push_back(asking_for_all(r));
    EXPECT_EQ(decisions(requests), decisions(whole)) << name;
  }
}

TEST(AskedQueries, AreAllThatTheLastLayerComputes) {
  testing::LoadedModel model(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny",
                             create_cpu_backend({.threads = 1}));
  const ModelConfig& c = model.config;
  const Request r = testing::method_request(model, "sparse-dllm:delay=1", 45, 32, 16, 32);
  const WorkCount work = Costs(c, {4}).explain(r).steps[1].work;
  const double rows = 77;
  const double block = 16;  // rows whose queries score the cache
  const double masks = 15;  // rows that are read
  const double whole = c.n_layers - 1;
  const double heads = c.n_heads * c.head_dim;
  const double key_value = 2.0 * c.dim * c.n_kv_heads * c.head_dim;
  const double attention = 2.0 * c.dim * heads;
  const double feed_forward = 3.0 * c.dim * c.ffn_dim;
  const double last = rows * key_value + block * attention + masks * feed_forward;
  EXPECT_DOUBLE_EQ(work.product_operations,
                   2 * (whole * rows * (key_value + attention + feed_forward) + last +
                        masks * c.dim * c.vocab_size));
  EXPECT_DOUBLE_EQ(work.attention_operations, 4 * heads * rows * (whole * rows + block));
}

}  // namespace
}  // namespace unmask
