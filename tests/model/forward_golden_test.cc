// Logits of the reference implementations, on the plain backend and on the fast one.
#include <cmath>
#include <gtest/gtest.h>

#include "methods/full.h"
#include "support/family_request.h"
#include "support/golden.h"
#include "support/model_fixture.h"
#include "support/tensors.h"

namespace unmask {
namespace {

const golden::Claim kForwardClaim([](const golden::Case& c) { return c.kind() == "forward"; });

/// Full attention that keeps what the first layer attends with.
class Probe final : public Method {
 public:
  std::string_view name() const override { return "probe"; }
  StepPlan plan_step(const Step& step) override {
    return {.rows = Rows(step.all()), .queries = step.all()};
  }
  Attention attend(AttendScope& scope) override {
    if (scope.layer == 0) {
      first_q = copy(scope.q);
      first_k = copy(scope.k);
    }
    return {{scope.k, scope.v}};
  }
  std::vector<float> first_q, first_k;  // [rows, heads * head_dim]

 private:
  static std::vector<float> copy(Tensor t) {
    std::vector<float> out;
    for (int r = 0; r < t.rows; ++r) out.insert(out.end(), t.f32(r), t.f32(r) + t.cols);
    return out;
  }
};

/// [heads, rows, head_dim] as the cases store it, from our [rows, heads * head_dim].
std::vector<float> by_head(const std::vector<float>& x, size_t rows, size_t head_dim) {
  const size_t width = x.size() / rows;
  std::vector<float> out;
  for (size_t c = 0; c < width; c += head_dim) {
    for (size_t r = 0; r < rows; ++r) {
      const auto from = x.begin() + static_cast<std::ptrdiff_t>(r * width + c);
      out.insert(out.end(), from, from + static_cast<std::ptrdiff_t>(head_dim));
    }
  }
  return out;
}

/// Compares what the layers leave in the residual stream, where a case has it.
void check_layers(testing::LoadedModel& model, const std::vector<TokenId>& ids, Method& method,
                  const SafetensorsFile& file) {
  std::vector<KvStore> stores(static_cast<size_t>(model.config.n_layers));
  Step step;
  step.block = {0, static_cast<int>(ids.size())};
  step.tokens = ids;
  step.mask_id = model.config.mask_id;
  std::vector<SequencePass> batch;
  batch.push_back({step, method.plan_step(step), &method, &stores, Rows(step.all())});
  int compared = 0;
  model.transformer.forward(batch, [&](int layer, Tensor x) {
    const std::string name = fmt::format("layer.{}.hidden", layer);
    if (!file.tensors().contains(name)) return;
    const std::vector<float> found(x.f32(), x.f32() + int64_t{x.rows} * x.cols);
    EXPECT_LT(testing::largest_difference(found, testing::values<float>(file.at(name))), 1e-3)
        << name;
    ++compared;
  });
  EXPECT_EQ(compared > 0, file.tensors().contains("layer.0.hidden"));
}

class GoldenForward : public ::testing::TestWithParam<golden::Case> {};

TEST_P(GoldenForward, LogitsEqualTheReference) {
  const golden::Case& c = GetParam();
  const auto directory = golden::find_folder(c.json["checkpoint"], "config.json");
  const SafetensorsFile file(c.directory() / "tensors.safetensors");
  const auto expected = testing::values<float>(file.at("logits"));
  const std::vector<TokenId> ids = c.json["input_ids"];
  for (const std::string backend : {"reference", "cpu"}) {
    SCOPED_TRACE(backend);
    if (backend == "reference" && ids.size() > 100) continue;  // slow by design
    testing::LoadedModel model(directory, testing::make_backend(backend), golden::overrides_of(c));
    Full full;
    Probe probe;
    EXPECT_LT(testing::largest_difference(testing::all_logits(model, ids, full), expected), 1e-3);
    EXPECT_LT(testing::largest_difference(testing::all_logits(model, ids, probe), expected), 1e-3);
    check_layers(model, ids, probe, file);
    if (!file.tensors().contains("layer.0.q_rope")) continue;
    const auto head_dim = static_cast<size_t>(model.config.head_dim);
    EXPECT_LT(testing::largest_difference(by_head(probe.first_q, ids.size(), head_dim),
                                          testing::values<float>(file.at("layer.0.q_rope"))),
              1e-4);
    EXPECT_LT(testing::largest_difference(by_head(probe.first_k, ids.size(), head_dim),
                                          testing::values<float>(file.at("layer.0.k_rope"))),
              1e-4);
  }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenForward);
INSTANTIATE_TEST_SUITE_P(Cases, GoldenForward, ::testing::ValuesIn(kForwardClaim.cases()),
                         golden::test_name);

}  // namespace
}  // namespace unmask
