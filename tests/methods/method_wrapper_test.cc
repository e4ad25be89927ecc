// Every question to a method arrives at the one that a wrapper holds, and its answer comes back.
// tools/check_repository.py finds questions that this list lacks.
#include "methods/method_wrapper.h"

#include <gmock/gmock.h>

#include "kernels/create_backend.h"
#include "methods/full.h"
#include "methods/refresh_pattern.h"

namespace unmask {
namespace {

using ::testing::_;
using ::testing::Ref;
using ::testing::Return;

class MockMethod : public Method {
 public:
  MOCK_METHOD(std::string_view, name, (), (const, override));
  MOCK_METHOD(bool, supports, (const Visibility&), (const, override));
  MOCK_METHOD(bool, needs_order, (), (const, override));
  MOCK_METHOD(bool, stops_after_end, (), (const, override));
  MOCK_METHOD(bool, leaves_masks_out, (), (const, override));
  MOCK_METHOD(bool, takes_drafts, (), (const, override));
  MOCK_METHOD(std::optional<int>, reusable, (), (const, override));
  MOCK_METHOD(void, resume, (int), (override));
  MOCK_METHOD(StepPlan, plan_step, (const Step&), (override));
  MOCK_METHOD(LayerPlan, plan_layer, (LayerScope&), (override));
  MOCK_METHOD(Attention, attend, (AttendScope&), (override));
  MOCK_METHOD(void, attended, (int, BlockImportance&), (override));
  MOCK_METHOD(Rows, cut, (CutScope&), (override));
  MOCK_METHOD(size_t, state_bytes, (), (const, override));
  MOCK_METHOD(std::vector<int>, slot_positions, (const AttendScope&, int), (const, override));
};

class MethodWrapperTest : public ::testing::Test {
 protected:
  MethodWrapperTest() { ON_CALL(*mock_, name()).WillByDefault(Return("mock")); }

  std::unique_ptr<::testing::NiceMock<MockMethod>> mock_ =
      std::make_unique<::testing::NiceMock<MockMethod>>();
  std::unique_ptr<Backend> backend_ = create_reference_backend();
  KvStore store_;
  Step step_;
  HeadShape shape_{1, 1, 2};
  std::function<Tensor(const Rows&)> no_values_ = [](const Rows&) { return Tensor(); };
  LayerScope layer_{.layer = 1,
                    .step = step_,
                    .backend = *backend_,
                    .store = store_,
                    .dim = 2,
                    .project_values = no_values_};
  AttendScope attend_{.layer = 1,
                      .step = step_,
                      .backend = *backend_,
                      .store = store_,
                      .shape = shape_,
                      .positions = {},
                      .query_positions = {},
                      .q = {},
                      .k = {},
                      .v = {}};
  CutScope cut_{
      .layer = 1, .keep = 2, .step = step_, .backend = *backend_, .positions = {}, .hidden = {}};
};

TEST_F(MethodWrapperTest, ForwardsEveryQuestion) {
  BlockImportance importance;
  const BlockPattern pattern;
  const Attention attention{.kv = {}, .pattern = &pattern};
  EXPECT_CALL(*mock_, name()).WillRepeatedly(Return("inner"));
  EXPECT_CALL(*mock_, supports(Visibility::block_causal(3))).WillOnce(Return(true));
  EXPECT_CALL(*mock_, needs_order()).WillOnce(Return(true));
  EXPECT_CALL(*mock_, stops_after_end()).WillOnce(Return(true));
  EXPECT_CALL(*mock_, takes_drafts()).WillOnce(Return(true));
  EXPECT_CALL(*mock_, reusable()).WillOnce(Return(9));
  EXPECT_CALL(*mock_, resume(5));
  EXPECT_CALL(*mock_, plan_step(Ref(step_))).WillOnce([] {
    StepPlan plan;
    plan.steady = true;
    return plan;
  });
  EXPECT_CALL(*mock_, plan_layer(Ref(layer_))).WillOnce([] {
    return LayerPlan{.rows = Rows(Range{2, 5})};
  });
  EXPECT_CALL(*mock_, attend(Ref(attend_))).WillOnce(Return(attention));
  EXPECT_CALL(*mock_, attended(3, Ref(importance)));
  EXPECT_CALL(*mock_, leaves_masks_out()).WillOnce(Return(true));
  EXPECT_CALL(*mock_, cut(Ref(cut_))).WillOnce([] { return Rows(Range{1, 3}); });
  EXPECT_CALL(*mock_, state_bytes()).WillOnce(Return(17));
  EXPECT_CALL(*mock_, slot_positions(Ref(attend_), 2)).WillOnce(Return(std::vector<int>{4, 1}));
  const std::unique_ptr<Method> wrapper = std::make_unique<MethodWrapper>(std::move(mock_));
  EXPECT_TRUE(wrapper->takes_drafts());
  EXPECT_EQ(wrapper->reusable(), 9);
  wrapper->resume(5);
  EXPECT_EQ(wrapper->name(), "inner");
  EXPECT_TRUE(wrapper->supports(Visibility::block_causal(3)));
  EXPECT_TRUE(wrapper->needs_order());
  EXPECT_TRUE(wrapper->stops_after_end());
  EXPECT_TRUE(wrapper->plan_step(step_).steady);
  EXPECT_EQ(wrapper->plan_layer(layer_).rows.size(), 3);
  EXPECT_EQ(wrapper->attend(attend_).pattern, &pattern);
  wrapper->attended(3, importance);
  EXPECT_TRUE(wrapper->leaves_masks_out());
  EXPECT_EQ(wrapper->cut(cut_).size(), 2);
  EXPECT_EQ(wrapper->state_bytes(), 17U);
  EXPECT_EQ(wrapper->slot_positions(attend_, 2), (std::vector<int>{4, 1}));
}

TEST_F(MethodWrapperTest, ARefreshPatternAsksItsCacheWhichRowsALayerComputes) {
  EXPECT_CALL(*mock_, plan_layer(Ref(layer_))).WillOnce([] {
    return LayerPlan{.rows = Rows(Range{0, 4})};
  });
  RefreshPattern both(std::move(mock_), std::make_unique<Full>());
  EXPECT_EQ(both.name(), "mock+full");
  EXPECT_EQ(both.plan_layer(layer_).rows.size(), 4);
}

}  // namespace
}  // namespace unmask
