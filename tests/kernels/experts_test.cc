// The feed-forward of experts against plain loops over its definition.
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

#include "kernels/backend_wrapper.h"
#include "kernels/counting/backend.h"
#include "kernels/create_backend.h"
#include "support/isa.h"
#include "support/random_tensor.h"

namespace unmask {
namespace {

using testing::RandomTensor;

struct ExpertShape {
  int rows, dim, width, experts, top_k;
  bool normalized;
  float scale;
  int shared_width;  // 0: none
};

const std::vector<ExpertShape> kExpertShapes{
    {1, 8, 8, 1, 1, false, 1, 0},    {7, 24, 40, 4, 2, false, 1, 0},
    {33, 48, 16, 9, 4, true, 1, 16}, {64, 32, 20, 16, 8, true, 2.5F, 0},
    {5, 16, 24, 3, 3, false, 1, 48}, {0, 16, 16, 4, 2, false, 1, 0},
    {700, 16, 8, 40, 4, true, 1, 0}};  // more than pass together

/// Weights of one gated feed-forward.
struct Gated {
  Gated(std::mt19937& random, int dim, int width)
      : gate(random, width, dim, 0, 0.3F),
        up(random, width, dim, 0, 0.3F),
        down(random, dim, width, 0, 0.3F) {}
  RandomTensor gate, up, down;
};

struct PackedGated {
  PackedGated(Backend& backend, const Gated& g)
      : gate(backend.pack(g.gate.matrix())),
        up(backend.pack(g.up.matrix())),
        down(backend.pack(g.down.matrix())) {}
  GatedMaps maps() const { return {gate.get(), up.get(), down.get()}; }
  std::unique_ptr<PackedMatrix> gate, up, down;
};

class Case {
 public:
  Case(std::mt19937& random, const ExpertShape& s)
      : shape(s), x(random, s.rows, s.dim, 3), router(random, s.experts, s.dim, 1, 0.5F) {
    for (int e = 0; e < s.experts; ++e) experts.emplace_back(random, s.dim, s.width);
    if (s.shared_width > 0) shared.emplace(random, s.dim, s.shared_width);
  }

  void run(Backend& backend, Tensor from, Tensor out, Into into) const {
    std::vector<PackedGated> packed;
    for (const Gated& e : experts) packed.emplace_back(backend, e);
    std::vector<GatedMaps> maps;
    for (const PackedGated& p : packed) maps.push_back(p.maps());
    std::optional<PackedGated> packed_shared;
    if (shared) packed_shared.emplace(backend, *shared);
    const GatedMaps shared_maps = packed_shared ? packed_shared->maps() : GatedMaps{};
    backend.experts(
        from,
        {.router = router.view(),
         .maps = maps,
         .shared = packed_shared ? &shared_maps : nullptr,
         .routing = {.top_k = shape.top_k, .normalized = shape.normalized, .scale = shape.scale}},
        out, into);
  }

  struct Value {
    double value = 0;
    double terms = 0;  // sum of the magnitudes that went into it: rounding is relative to these
  };
  /// Column `c` of what one feed-forward gives a row.
  static Value gated(const Gated& g, const float* row, int c) {
    Value sum;
    for (int j = 0; j < g.gate.view().rows; ++j) {
      Value gate;
      Value up;
      for (int i = 0; i < g.gate.view().cols; ++i) {
        const double a = static_cast<double>(row[i]) * g.gate.view().f32(j)[i];
        const double b = static_cast<double>(row[i]) * g.up.view().f32(j)[i];
        gate = {gate.value + a, gate.terms + std::abs(a)};
        up = {up.value + b, up.terms + std::abs(b)};
      }
      const double down = g.down.view().f32(c)[j];
      sum.value += down * gate.value / (1 + std::exp(-gate.value)) * up.value;
      sum.terms += std::abs(down) * gate.terms * up.terms;
    }
    return sum;
  }
  std::vector<double> probabilities(const float* row) const {
    std::vector<double> p;
    double sum = 0;
    for (int e = 0; e < shape.experts; ++e) {
      double logit = 0;
      for (int i = 0; i < shape.dim; ++i) {
        logit += static_cast<double>(row[i]) * router.view().f32(e)[i];
      }
      p.push_back(std::exp(logit));
      sum += p.back();
    }
    for (double& value : p) value /= sum;
    return p;
  }
  Value expected(int r, int c) const {
    const float* row = x.view().f32(r);
    const std::vector<double> p = probabilities(row);
    std::vector<double> sorted = p;
    std::sort(sorted.rbegin(), sorted.rend());
    const double least = sorted[static_cast<size_t>(shape.top_k) - 1];
    double taken = 0;
    for (int i = 0; i < shape.top_k; ++i) taken += sorted[static_cast<size_t>(i)];
    Value sum;
    const auto add = [&](const Gated& g, double weight) {
      const Value v = gated(g, row, c);
      sum = {sum.value + weight * v.value, sum.terms + weight * v.terms};
    };
    for (size_t e = 0; e < p.size(); ++e) {
      if (p[e] < least) continue;
      add(experts[e], p[e] / (shape.normalized ? taken : 1) * static_cast<double>(shape.scale));
    }
    if (shared) add(*shared, 1);
    return sum;
  }

  ExpertShape shape;
  RandomTensor x;
  RandomTensor router;
  std::vector<Gated> experts;
  std::optional<Gated> shared;
};

void expect_right(const Case& c, Backend& backend, std::mt19937& random) {
  for (const Into into : {Into::store, Into::add}) {
    const RandomTensor out(random, c.shape.rows, c.shape.dim, 2);
    const RandomTensor before(out);
    c.run(backend, c.x.view(), out.view(), into);
    for (int r = 0; r < c.shape.rows; ++r) {
      for (int i = 0; i < c.shape.dim; ++i) {
        const Case::Value v = c.expected(r, i);
        const double old = into == Into::add ? before.view().f32(r)[i] : 0;
        // Tree-like float32 sums, and weights whose logits are such sums.
        ASSERT_NEAR(out.view().f32(r)[i], old + v.value, 32 * 6e-8 * (std::abs(old) + v.terms))
            << "row " << r << " column " << i << " of " << c.shape.experts << " experts";
      }
    }
  }
}

class ExpertsTest : public ::testing::TestWithParam<std::string> {
 protected:
  std::mt19937 random_{23};
};

TEST_P(ExpertsTest, EqualPlainLoops) {
  const auto cpu = testing::create_cpu_backend_on(GetParam(), {.threads = 3});
  for (const ExpertShape& shape : kExpertShapes) expect_right(Case(random_, shape), *cpu, random_);
}

TEST_P(ExpertsTest, ARowDoesNotDependOnItsNeighbours) {
  for (const WeightType type : {WeightType::f32, WeightType::int8}) {
    const auto cpu = testing::create_cpu_backend_on(GetParam(), {.threads = 2, .weights = type});
    const Case c(random_, kExpertShapes[2]);
    const RandomTensor all(random_, c.shape.rows, c.shape.dim);
    c.run(*cpu, c.x.view(), all.view(), Into::store);
    for (const int r : {0, 17, 32}) {
      const RandomTensor one(random_, 1, c.shape.dim);
      c.run(*cpu, c.x.view().slice({r, r + 1}), one.view(), Into::store);
      for (int i = 0; i < c.shape.dim; ++i) {
        ASSERT_EQ(one.view().f32()[i], all.view().f32(r)[i]) << r;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, ExpertsTest, ::testing::ValuesIn(testing::isa_levels()),
                         testing::isa_test_name);

TEST(Experts, OfTheReferenceEqualPlainLoops) {
  std::mt19937 random(29);
  const auto reference = create_reference_backend();
  for (const ExpertShape& shape : kExpertShapes)
    expect_right(Case(random, shape), *reference, random);
}

TEST(Experts, AreCountedByThoseThatTheRowsCanTake) {
  std::mt19937 random(31);
  const auto counting = create_counting_backend({});
  const Case c(random, {.rows = 2,
                        .dim = 8,
                        .width = 6,
                        .experts = 5,
                        .top_k = 2,
                        .normalized = false,
                        .scale = 1,
                        .shared_width = 4});
  c.run(*counting, c.x.view(), c.x.view(), Into::store);
  const WorkCount count = counting->take();
  EXPECT_EQ(count.product_operations, 2 * (2 * 8 * 5 + 2 * 6 * 8 * 6 + 6 * 8 * 4));
  EXPECT_EQ(count.weight_bytes, 4 * (5 * 8 + 4 * 3 * 8 * 6 + 3 * 8 * 4));
}

TEST(Experts, ABackendWithoutThemSaysSo) {
  class Plain final : public BackendWrapper {
   public:
    Plain() : BackendWrapper(create_reference_backend()) {}
    std::string describe() const override { return "plain"; }
    void experts(Tensor x, const Experts& experts, Tensor out, Into into) override {
      Backend::experts(x, experts, out, into);
    }
  };
  try {
    Plain().experts({}, {}, {}, Into::store);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("plain: found a feed-forward of experts"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace unmask
