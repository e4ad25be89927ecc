// The feed-forward of experts against plain loops over its definition.
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

#include "kernels/backend_wrapper.h"
#include "kernels/counting/backend.h"
#include "kernels/create_backend.h"
#include "kernels/expert_case.h"
#include "support/isa.h"
#include "support/random_tensor.h"

namespace unmask {
namespace {

using testing::expert_shapes;
using testing::ExpertCase;
using testing::ExpertShape;
using testing::RandomTensor;

void expect_right(const ExpertCase& c, Backend& backend, std::mt19937& random) {
  for (const Into into : {Into::store, Into::add}) {
    const RandomTensor out(random, c.shape.rows, c.shape.dim, 2);
    const RandomTensor before(out);
    c.run(backend, c.x.view(), out.view(), into);
    for (int r = 0; r < c.shape.rows; ++r) {
      for (int i = 0; i < c.shape.dim; ++i) {
        const ExpertCase::Value v = c.expected(r, i);
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
  for (const ExpertShape& shape : expert_shapes())
    expect_right(ExpertCase(random_, shape), *cpu, random_);
}

TEST_P(ExpertsTest, ARowDoesNotDependOnItsNeighbours) {
  for (const WeightType type : {WeightType::f32, WeightType::int8}) {
    const auto cpu = testing::create_cpu_backend_on(GetParam(), {.threads = 2, .weights = type});
    const ExpertCase c(random_, expert_shapes()[2]);
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
  for (const ExpertShape& shape : expert_shapes())
    expect_right(ExpertCase(random, shape), *reference, random);
}

TEST(Experts, AreCountedByThoseThatTheRowsCanTake) {
  std::mt19937 random(31);
  const auto counting = create_counting_backend({});
  const ExpertCase c(random, {.rows = 2,
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
