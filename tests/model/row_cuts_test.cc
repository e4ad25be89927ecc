// Passes that go on with fewer rows: the rows that are left give what they give in a whole pass.
#include <gtest/gtest.h>
#include <map>
#include <random>

#include "methods/position_cache.h"
#include "methods/registry.h"
#include "support/model_fixture.h"

namespace unmask {
namespace {

/// Computes everything, then once more with cuts at random.
class CuttingAtRandom final : public PositionCache {
 public:
  CuttingAtRandom(unsigned seed, bool cuts) : random_(seed), cuts_(cuts) {}
  std::string_view name() const override { return "cutting"; }
  StepPlan plan_step(const Step& step) override {
    StepPlan plan{.rows = Rows(step.all())};
    if (step.index == 0 || !cuts_) return plan;
    plan.cuts = {{0, 2 * step.length() / 3}, {2, step.length() / 4}};
    return plan;
  }
  Rows cut(CutScope& scope) override {
    EXPECT_EQ(static_cast<int>(scope.positions.size()), scope.hidden.rows);
    std::vector<int> rows(scope.positions.size());
    std::iota(rows.begin(), rows.end(), 0);
    std::shuffle(rows.begin(), rows.end(), random_);
    rows.resize(static_cast<size_t>(scope.keep));
    std::sort(rows.begin(), rows.end());
    return Rows(std::move(rows));
  }

 private:
  std::mt19937 random_;
  bool cuts_;
};

class RowCutsTest : public ::testing::Test {
 protected:
  struct Sequence {
    std::unique_ptr<Method> method;
    std::vector<TokenId> tokens;
    std::vector<KvStore> stores{4};
  };
  Sequence sequence(std::unique_ptr<Method> method, int length) {
    Sequence s{std::move(method), {}};
    for (int i = 0; i < length; ++i) s.tokens.push_back((i * 29 + length) % 400);
    return s;
  }
  SequencePass pass(Sequence& s, int index) {
    Step step;
    step.index = index;
    step.total = 4;
    step.block = {0, static_cast<int>(s.tokens.size())};
    step.tokens = s.tokens;
    StepPlan plan = s.method->plan_step(step);
    Rows wanted(Range{0, plan.rows.size()});
    return {step, std::move(plan), s.method.get(), &s.stores, std::move(wanted)};
  }
  /// The final hidden states of each sequence's second pass, by position.
  std::vector<std::map<int, std::vector<float>>> hidden(std::vector<Sequence>& sequences) {
    Tensor found;
    std::vector<SequencePass> batch;
    for (int index = 0; index < 2; ++index) {
      batch.clear();
      for (Sequence& s : sequences) batch.push_back(pass(s, index));
      found = model_.transformer.forward(batch);
    }
    std::vector<std::map<int, std::vector<float>>> rows;
    int row = 0;
    for (const SequencePass& s : batch) {
      rows.emplace_back();
      for (const int wanted : s.wanted) {
        rows.back()[s.plan.rows[wanted]] = {found.f32(row), found.f32(row) + found.cols};
        ++row;
      }
    }
    return rows;
  }

  testing::LoadedModel model_{std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny",
                              create_cpu_backend({.threads = 2})};
};

TEST_F(RowCutsTest, WhatIsLeftHasTheBitsOfAWholePassInAnyBatch) {
  for (unsigned seed = 0; seed < 8; ++seed) {
    std::vector<Sequence> whole;
    std::vector<Sequence> cut;
    for (std::vector<Sequence>* both : {&whole, &cut}) {
      const bool cuts = both == &cut;
      both->push_back(sequence(std::make_unique<CuttingAtRandom>(seed, cuts), 31));
      both->push_back(sequence(create_method("full", {model_.config, 0}), 9));
      both->push_back(sequence(create_method("dllm-cache", {model_.config, 0}), 14));
      both->push_back(sequence(std::make_unique<CuttingAtRandom>(seed + 99, cuts), 12));
    }
    const auto expected = hidden(whole);
    const auto found = hidden(cut);
    ASSERT_EQ(found.size(), expected.size());
    const size_t left[] = {7, 9, 14, 3};
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].size(), left[i]);
      for (const auto& [position, values] : found[i]) {
        EXPECT_EQ(values, expected[i].at(position)) << "sequence " << i << " at " << position;
      }
    }
  }
}

TEST_F(RowCutsTest, AFollowerCutsTheRowsOfThePassBeforeIt) {
  std::vector<Sequence> pair;
  pair.push_back(sequence(std::make_unique<CuttingAtRandom>(1, true), 20));
  pair.push_back(sequence(std::make_unique<CuttingAtRandom>(2, true), 20));
  for (int index = 0; index < 2; ++index) {
    std::vector<SequencePass> batch;
    for (Sequence& s : pair) batch.push_back(pass(s, index));
    batch[1].follows = true;
    model_.transformer.forward(batch);
    EXPECT_EQ(batch[0].plan.rows, batch[1].plan.rows);
    EXPECT_EQ(batch[0].plan.rows.size(), index == 0 ? 20 : 5);
  }
}

TEST(RowCuts, MeanRowsAreThoseOfAllLayersRoundedUp) {
  StepPlan plan{.rows = Rows(Range{0, 16})};
  EXPECT_EQ(plan.mean_rows(32), 16);
  plan.cuts = {{4, 8}, {8, 4}};  // LLaDA's: 5 layers whole, 4 with half of the rows
  EXPECT_EQ(plan.mean_rows(32), (5 * 16 + 4 * 8 + 23 * 4 + 31) / 32);
  plan.cuts = {{1, 3}};
  EXPECT_EQ(plan.mean_rows(4), 10) << "9.5";
}

}  // namespace
}  // namespace unmask
