// Every function of a backend arrives at the one that a wrapper holds, and what it returns comes
// back. tools/check_repository.py finds functions that this list lacks.
#include "kernels/backend_wrapper.h"

#include <gmock/gmock.h>

namespace unmask {
namespace {

using ::testing::_;
using ::testing::Return;

class MockBackend : public Backend {
 public:
  MOCK_METHOD(std::string, describe, (), (const, override));
  MOCK_METHOD(DType, activation_type, (), (const, override));
  MOCK_METHOD(int, tile_rows, (), (const, override));
  MOCK_METHOD(Buffer, allocate, (size_t), (override));
  MOCK_METHOD(void, upload, (const float*, Tensor), (override));
  MOCK_METHOD(void, download, (Tensor, float*), (override));
  MOCK_METHOD(std::unique_ptr<PackedMatrix>, pack, (const HostMatrix&), (override));
  MOCK_METHOD(std::vector<std::unique_ptr<PackedMatrix>>, pack_together,
              (std::span<const HostMatrix>), (override));
  MOCK_METHOD(void, embed, (std::span<const TokenId>, const HostMatrix&, Tensor), (override));
  using Backend::linear;
  MOCK_METHOD(void, linear, (Tensor, std::span<const LinearMap>), (override));
  MOCK_METHOD(void, experts, (Tensor, const Experts&, Tensor, Into), (override));
  MOCK_METHOD(void, rms_norm, (Tensor, Tensor, float, Tensor), (override));
  MOCK_METHOD(void, rope, (Tensor, std::span<const int>, const Rotation&), (override));
  MOCK_METHOD(void, attention, (std::span<const AttentionTask>, const HeadShape&), (override));
  MOCK_METHOD(void, add, (Tensor, Tensor), (override));
  MOCK_METHOD(void, extrapolate, (Tensor, Tensor, float), (override));
  MOCK_METHOD(void, gather, (Tensor, const Rows&, Tensor), (override));
  MOCK_METHOD(void, scatter, (Tensor, const Rows&, Tensor), (override));
  MOCK_METHOD(void, token_stats,
              (Tensor, std::span<const int>, const TokenQuery&, std::span<TokenStats>), (override));
  MOCK_METHOD(std::unique_ptr<StepSeries>, series, (const SeriesPlan&), (override));
  MOCK_METHOD(void, mean_query_scores, (Tensor, Tensor, const HeadShape&, std::span<float>),
              (override));
  MOCK_METHOD(void, attention_mass,
              (Tensor, const Rows&, Tensor, const HeadShape&, std::span<float>), (override));
  MOCK_METHOD(void, cosine_rows, (Tensor, Tensor, std::span<float>), (override));
  MOCK_METHOD(void, row_changes, (Tensor, Tensor, const Rows&, std::span<float>), (override));
};

class NoSteps final : public StepSeries {
 public:
  std::vector<Revealed> run(const std::function<void()>& /*step*/) override { return {}; }
  void embed(const HostMatrix& /*table*/, Tensor /*out*/) override {}
  void choose(Tensor /*logits*/, int /*first*/) override {}
};

class EmptyMatrix final : public PackedMatrix {
 public:
  EmptyMatrix() : PackedMatrix(0, 0) {}
  size_t bytes() const override { return 0; }
};

class BackendWrapperTest : public ::testing::Test {
 protected:
  BackendWrapperTest() {
    auto mock = std::make_unique<MockBackend>();
    mock_ = mock.get();
    wrapper_ = std::make_unique<BackendWrapper>(std::move(mock));
  }
  MockBackend* mock_;
  std::unique_ptr<Backend> wrapper_;
  Tensor a_{nullptr, DType::f32, 1, 2, 2};
  Tensor b_{nullptr, DType::f32, 3, 4, 4};
};

MATCHER_P(HasRows, rows, "") { return arg.rows == rows; }

TEST_F(BackendWrapperTest, ForwardsWhatDescribesTheBackend) {
  EXPECT_CALL(*mock_, describe()).WillOnce(Return("mock"));
  EXPECT_CALL(*mock_, activation_type()).WillOnce(Return(DType::bf16));
  EXPECT_CALL(*mock_, tile_rows()).WillOnce(Return(7));
  EXPECT_EQ(wrapper_->describe(), "mock");
  EXPECT_EQ(wrapper_->activation_type(), DType::bf16);
  EXPECT_EQ(wrapper_->tile_rows(), 7);
}

TEST_F(BackendWrapperTest, ForwardsMemoryAndWeights) {
  float host = 0;
  const HostMatrix matrix{.out = 5};
  EXPECT_CALL(*mock_, allocate(9)).WillOnce([] { return Buffer(nullptr, 11, [](void*) {}); });
  EXPECT_CALL(*mock_, upload(&host, HasRows(1)));
  EXPECT_CALL(*mock_, download(HasRows(3), &host));
  EXPECT_CALL(*mock_, pack(_)).WillOnce([] { return std::make_unique<EmptyMatrix>(); });
  EXPECT_CALL(*mock_, pack_together(_)).WillOnce([] {
    return std::vector<std::unique_ptr<PackedMatrix>>(3);
  });
  EXPECT_EQ(wrapper_->allocate(9).bytes(), 11U);
  wrapper_->upload(&host, a_);
  wrapper_->download(b_, &host);
  EXPECT_NE(wrapper_->pack(matrix), nullptr);
  EXPECT_EQ(wrapper_->pack_together({&matrix, 1}).size(), 3U);
}

TEST_F(BackendWrapperTest, ForwardsTheTransformer) {
  EXPECT_CALL(*mock_, embed(_, _, HasRows(1)));
  EXPECT_CALL(*mock_, linear(HasRows(1), ::testing::SizeIs(1)));
  EXPECT_CALL(*mock_, experts(HasRows(1), _, HasRows(3), Into::add));
  EXPECT_CALL(*mock_, rms_norm(HasRows(1), HasRows(3), 0.5F, HasRows(1)));
  EXPECT_CALL(*mock_, rope(HasRows(3), _, plain_rotation(6, 2.0F)));
  EXPECT_CALL(*mock_, attention(::testing::SizeIs(2), _));
  EXPECT_CALL(*mock_, add(HasRows(1), HasRows(3)));
  EXPECT_CALL(*mock_, extrapolate(HasRows(1), HasRows(3), 4.0F));
  EXPECT_CALL(*mock_, gather(HasRows(1), _, HasRows(3)));
  EXPECT_CALL(*mock_, scatter(HasRows(1), _, HasRows(3)));
  EXPECT_CALL(*mock_, token_stats(HasRows(1), _, _, _));
  EXPECT_CALL(*mock_, series(_)).WillOnce([] { return std::make_unique<NoSteps>(); });
  wrapper_->embed({}, {}, a_);
  wrapper_->linear(a_, LinearMap{});
  wrapper_->experts(a_, {}, b_, Into::add);
  wrapper_->rms_norm(a_, b_, 0.5F, a_);
  wrapper_->rope(b_, {}, plain_rotation(6, 2.0F));
  const std::vector<AttentionTask> tasks(2);
  wrapper_->attention(tasks, {});
  wrapper_->add(a_, b_);
  wrapper_->extrapolate(a_, b_, 4.0F);
  wrapper_->gather(a_, Rows(), b_);
  wrapper_->scatter(a_, Rows(), b_);
  wrapper_->token_stats(a_, {}, {}, {});
  EXPECT_NE(wrapper_->series({}), nullptr);
}

TEST_F(BackendWrapperTest, ForwardsWhatMethodsMeasure) {
  EXPECT_CALL(*mock_, mean_query_scores(HasRows(1), HasRows(3), _, _));
  EXPECT_CALL(*mock_, attention_mass(HasRows(1), _, HasRows(3), _, _));
  EXPECT_CALL(*mock_, cosine_rows(HasRows(1), HasRows(3), _));
  EXPECT_CALL(*mock_, row_changes(HasRows(1), HasRows(3), _, _));
  wrapper_->mean_query_scores(a_, b_, {}, {});
  wrapper_->attention_mass(a_, Rows(), b_, {}, {});
  wrapper_->cosine_rows(a_, b_, {});
  wrapper_->row_changes(a_, b_, Rows(), {});
}

}  // namespace
}  // namespace unmask
