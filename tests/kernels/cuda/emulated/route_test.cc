// The kernel that routes rows to experts on the emulator, against choose_experts().
#include <gtest/gtest.h>
#include <random>

#include "kernels/cuda/emulator/instructions.h"
#include "kernels/cuda/emulator/launch.h"
#include "kernels/experts.h"
// Kernels follow the instructions they are to run on.
#include "kernels/cuda/route.inc"

namespace unmask::cuda {
namespace {

struct RouteShape {
  int rows;
  int experts;
  Routing routing;
  bool biased = false;
  bool tied = false;  // logits of few values
};

/// Logits in three parts that add up without rounding, so that both sides see the same.
class RouteCase {
 public:
  RouteCase(const RouteShape& s, unsigned seed) : shape_(s), bias_(static_cast<size_t>(s.experts)) {
    std::mt19937 random(seed);
    std::uniform_int_distribution<int> steps(-40, 40);
    const auto draw = [&](float step) { return static_cast<float>(steps(random)) * step; };
    const auto n = static_cast<size_t>(s.experts);
    parts_.resize(static_cast<size_t>(s.rows) * kRouterParts * n);
    for (size_t row = 0; row < static_cast<size_t>(s.rows); ++row) {
      float* parts = parts_.data() + row * kRouterParts * n;
      for (size_t e = 0; e < n; ++e) {
        parts[e] = s.tied ? draw(0.125F) : draw(0.0625F) + draw(0x1p-10F);
        parts[n + e] = s.tied ? 0 : draw(0x1p-14F);
        parts[2 * n + e] = s.tied ? 0 : draw(0x1p-17F);
        logits_.push_back(parts[e] + parts[n + e] + parts[2 * n + e]);
      }
    }
    if (s.biased) {
      for (float& b : bias_) b = s.tied ? draw(0x1p-8F) : draw(0.01F);
    }
    const auto choices = static_cast<size_t>(s.rows) * static_cast<size_t>(s.routing.top_k);
    // Room for whatever a faulty machine takes.
    chosen_.assign(choices + kMaxExperts, -1);
    weights_.assign(choices + kMaxExperts, std::nanf(""));
  }

  void run(Fault fault = Fault::none) {
    const DeviceRouting task{.logits = parts_.data(),
                             .bias = shape_.biased ? bias_.data() : nullptr,
                             .rows = shape_.rows,
                             .experts = shape_.experts,
                             .routing = shape_.routing,
                             .chosen = chosen_.data(),
                             .weights = weights_.data()};
    emulator::run({.blocks = (shape_.rows + kRouteRows - 1) / kRouteRows,
                   .threads = kRouteThreads,
                   .fault = fault},
                  [&] { route_rows(task); });
  }

  bool is_right() const {
    const auto n = static_cast<size_t>(shape_.experts);
    size_t next = 0;
    for (size_t row = 0; row < static_cast<size_t>(shape_.rows); ++row) {
      const std::span<const float> bias(bias_.data(), shape_.biased ? n : 0);
      for (const auto& [expert, weight] :
           choose_experts(std::span(logits_).subspan(row * n, n), bias, shape_.routing)) {
        const bool close = std::abs(weights_[next] - weight) <= 1e-6F * std::abs(weight);
        if (chosen_[next] != expert || !close) return false;
        ++next;
      }
    }
    return true;
  }

 private:
  RouteShape shape_;
  std::vector<float> parts_;
  std::vector<float> logits_;
  std::vector<float> bias_;
  std::vector<int32_t> chosen_;
  std::vector<float> weights_;
};

std::vector<RouteShape> route_shapes() {
  const Routing llada2{.top_k = 8,
                       .sigmoid = true,
                       .normalized = true,
                       .scale = 2.5F,
                       .groups = 8,
                       .groups_kept = 4};
  std::vector<RouteShape> shapes{
      {1, 1, {}},
      {9, 4, {.top_k = 4}},
      {17, 64, {.top_k = 8}},                      // LLaDA-MoE
      {5, 128, {.top_k = 8, .normalized = true}},  // SDAR
      {6, 33, {.top_k = 3, .groups = 11, .groups_kept = 2}},
      {4, 512, {.top_k = 16, .scale = 0.5F, .groups = 32, .groups_kept = 32}},
      {5,
       30,
       {.top_k = 5, .sigmoid = true, .groups = 30, .groups_kept = 7},
       true}};  // groups of one
  shapes.push_back({9, 256, llada2, true});
  const size_t distinct = shapes.size();
  for (size_t i = 0; i < distinct; ++i) {
    shapes.push_back(shapes[i]);
    shapes.back().tied = true;
  }
  return shapes;
}

TEST(CudaRoute, ChoosesAsTheHostDoes) {
  unsigned seed = 1;
  for (const RouteShape& shape : route_shapes()) {
    RouteCase c(shape, seed++);
    c.run();
    EXPECT_TRUE(c.is_right()) << shape.experts << " experts, ties " << shape.tied;
  }
}

TEST(CudaRoute, MistakesAreNoticed) {
  RouteCase c({9, 256, {.top_k = 8, .normalized = true}}, 3);
  c.run(Fault::wrong_shuffle);
  EXPECT_FALSE(c.is_right());
}

TEST(CudaRoute, LogitsWithoutNumbersStayInBounds) {
  std::vector<float> logits(kRouterParts * 40, std::nanf(""));
  std::vector<int32_t> chosen(4, -1);
  std::vector<float> weights(4);
  const DeviceRouting task{.logits = logits.data(),
                           .rows = 1,
                           .experts = 40,
                           .routing = {.top_k = 4},
                           .chosen = chosen.data(),
                           .weights = weights.data()};
  emulator::run({.threads = kRouteThreads}, [&] { route_rows(task); });
  EXPECT_EQ(chosen, (std::vector<int32_t>{0, 1, 2, 3}));
  EXPECT_TRUE(std::isnan(weights[0]));
}

}  // namespace
}  // namespace unmask::cuda
