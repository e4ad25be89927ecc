// Routers of the reference implementations: which experts rows take, with which weights, and what a
// whole feed-forward of experts gives.
#include <cmath>
#include <gtest/gtest.h>

#include "io/containers/safetensors.h"
#include "kernels/create_backend.h"
#include "support/golden.h"
#include "support/model_fixture.h"
#include "support/tensors.h"

namespace unmask {
namespace {

using nlohmann::json;

const golden::Claim kRouters([](const golden::Case& c) { return c.kind() == "unit-router"; });
const golden::Claim kTies([](const golden::Case& c) { return c.kind() == "unit-router-ties"; });

int value_or(const json& object, const char* key, int otherwise) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? otherwise : found->get<int>();
}

Routing routing_of(const std::string& router, int top_k, int groups, int kept, float scale) {
  const bool group = router == "group";
  return {.top_k = top_k,
          .sigmoid = group,
          .normalized = group && top_k > 1,
          .scale = group ? scale : 1,
          .groups = group ? groups : 1,
          .groups_kept = group ? kept : 1};
}

/// Memory of a backend with these values.
Buffer on(Backend& backend, const std::vector<float>& values, int rows) {
  Buffer buffer = backend.allocate(values.size() * sizeof(float));
  backend.upload(values.data(), buffer.view(rows, static_cast<int>(values.size()) / rows));
  return buffer;
}

struct Feed {
  Feed(Backend& backend, const SafetensorsFile& file, const std::string& prefix) {
    const auto pack = [&](const char* name) {
      const StoredTensor& tensor = file.at(prefix + name + "_proj.weight");
      return backend.pack({tensor.bytes.data(), tensor.element_type(),
                           static_cast<int>(tensor.shape[0]), static_cast<int>(tensor.shape[1])});
    };
    gate = pack("gate");
    up = pack("up");
    down = pack("down");
  }
  GatedMaps maps() const { return {gate.get(), up.get(), down.get()}; }
  std::unique_ptr<PackedMatrix> gate, up, down;
};

class GoldenRouter : public ::testing::TestWithParam<golden::Case> {};

TEST_P(GoldenRouter, RowsTakeTheExpertsOfTheReference) {
  const golden::Case& c = GetParam();
  const json& params = c.json["params"];
  const SafetensorsFile file(c.directory() / "tensors.safetensors");
  const auto logits = testing::values<float>(file.at("router_logits"));
  const auto experts = testing::values<int>(file.at("experts"));
  const auto weights = testing::values<float>(file.at("weights"));
  std::vector<float> bias;
  if (file.tensors().contains("expert_bias")) {
    bias = testing::values<float>(file.at("expert_bias"));
  }
  const auto n = params["num_experts"].get<size_t>();
  const auto k = params["num_experts_per_tok"].get<size_t>();
  const Routing routing = routing_of(c.json["router"], static_cast<int>(k), params["n_group"],
                                     params["topk_group"], params["routed_scaling_factor"]);
  for (size_t row = 0; row * n < logits.size(); ++row) {
    const auto found = choose_experts(std::span(logits).subspan(row * n, n), bias, routing);
    ASSERT_EQ(found.size(), k);
    for (size_t i = 0; i < k; ++i) {
      EXPECT_EQ(found[i].expert, experts[row * k + i]) << "row " << row;
      EXPECT_NEAR(found[i].weight, weights[row * k + i], 1e-6) << "row " << row;
    }
  }
}

TEST_P(GoldenRouter, TheWholeFeedForwardEqualsTheReference) {
  const golden::Case& c = GetParam();
  const json& params = c.json["params"];
  const SafetensorsFile file(c.directory() / "tensors.safetensors");
  if (!file.tensors().contains("block_out")) GTEST_SKIP() << "a case of the router alone";
  const auto expected = testing::values<float>(file.at("block_out"));
  const auto rows = static_cast<int>(file.at("hidden").shape[0]);
  const auto dim = static_cast<int>(file.at("hidden").shape[1]);
  for (const std::string name : {"reference", "cpu"}) {
    const auto backend = testing::make_backend(name);
    const Buffer x = on(*backend, testing::values<float>(file.at("hidden")), rows);
    const auto n = params["num_experts"].get<int>();
    const Buffer router = on(*backend, testing::values<float>(file.at("gate_weight")), n);
    Buffer bias;
    if (file.tensors().contains("expert_bias")) {
      bias = on(*backend, testing::values<float>(file.at("expert_bias")), 1);
    }
    std::vector<Feed> feeds;
    std::vector<GatedMaps> maps;
    for (int e = 0; e < n; ++e) {
      feeds.emplace_back(*backend, file, fmt::format("block.experts.{}.", e));
    }
    for (const Feed& feed : feeds) maps.push_back(feed.maps());
    std::optional<Feed> shared;
    if (value_or(params, "num_shared_experts", 0) > 0) {
      shared.emplace(*backend, file, "block.shared_experts.");
    }
    const GatedMaps shared_maps = shared ? shared->maps() : GatedMaps{};
    const Buffer out = backend->allocate(expected.size() * sizeof(float));
    Experts all{
        .router = router.view(n, dim),
        .maps = maps,
        .shared = shared ? &shared_maps : nullptr,
        .routing = routing_of(c.json["router"], params["num_experts_per_tok"], params["n_group"],
                              params["topk_group"], params["routed_scaling_factor"])};
    if (bias.bytes() > 0) all.router_bias = bias.view(1, n);
    backend->experts(x.view(rows, dim), all, out.view(rows, dim), Into::store);
    const Tensor result = out.view(rows, dim);
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_NEAR(result.f32()[i], expected[i], 5e-5) << name << " element " << i;
    }
  }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenRouter);
INSTANTIATE_TEST_SUITE_P(Cases, GoldenRouter, ::testing::ValuesIn(kRouters.cases()),
                         golden::test_name);

class GoldenRouterTies : public ::testing::TestWithParam<golden::Case> {};

TEST_P(GoldenRouterTies, EqualScoresGoByIndex) {
  for (const json& one : GetParam().json["cases"]) {
    SCOPED_TRACE(one["name"].get<std::string>());
    const std::vector<float> logits = one["logits"];
    const std::vector<float> bias = one.value("bias", std::vector<float>());
    const auto groups = value_or(one, "n_group", value_or(one, "groups", 1));
    const auto kept = value_or(one, "topk_group", value_or(one, "groups_kept", groups));
    const float scale = one.value("scale", one.value("routed_scaling_factor", 1.0F));
    const auto found =
        choose_experts(logits, bias, routing_of(one["router"], one["k"], groups, kept, scale));
    const std::vector<int> experts = one["experts"];
    const std::vector<float> weights = one["weights"];
    ASSERT_EQ(found.size(), experts.size());
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].expert, experts[i]);
      EXPECT_NEAR(found[i].weight, weights[i], 1e-6);
    }
  }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenRouterTies);
INSTANTIATE_TEST_SUITE_P(Cases, GoldenRouterTies, ::testing::ValuesIn(kTies.cases()),
                         golden::test_name);

}  // namespace
}  // namespace unmask
