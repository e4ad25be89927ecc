#include "model/kv_store.h"

#include <gtest/gtest.h>

#include "kernels/counting/backend.h"
#include "kernels/create_backend.h"
#include "support/limited_backend.h"
#include "support/random_tensor.h"

namespace unmask {
namespace {

using testing::RandomTensor;

class KvStoreTest : public ::testing::Test {
 protected:
  static constexpr HeadShape kHeads{2, 1, 32};

  KvStoreTest() { store_.reset(*backend_, 70, 32); }
  void replace(const Rows& slots) {
    const RandomTensor k(random_, slots.size(), 32);
    const RandomTensor v(random_, slots.size(), 32);
    store_.put(*backend_, slots, k.view(), v.view());
  }
  std::vector<float> attend(KvView kv) {
    const RandomTensor out(random_, 3, 64);
    const AttentionTask task{.q = q_.view(), .kv = kv, .out = out.view()};
    backend_->attention(std::span(&task, 1), kHeads);
    return out.values();
  }

  std::mt19937 random_{5};
  RandomTensor q_{random_, 3, 64};
  std::unique_ptr<Backend> backend_ = create_cpu_backend({.threads = 1});
  KvStore store_;
};

TEST_F(KvStoreTest, AttentionSeesWhatWasPut) {
  replace(Rows(Range{0, 70}));
  for (const Rows& slots : {Rows(Range{20, 40}), Rows(std::vector<int>{0, 69}), Rows()}) {
    replace(slots);
    const RandomTensor none(random_, 0, 32);
    const auto seen = attend(store_.put(*backend_, Rows(), none.view(), none.view()));
    EXPECT_EQ(seen, attend(store_.view()));
  }
}

TEST_F(KvStoreTest, AttentionSeesWhatWasWrittenThroughAView) {
  replace(Rows(Range{0, 70}));
  const auto before = attend(store_.view());
  store_.view().k.f32(50)[0] += 3;
  const auto after = attend(store_.view());
  EXPECT_NE(before, after);
  store_.view().v.f32(1)[0] += 3;
  EXPECT_NE(after, attend(store_.view()));
}

TEST_F(KvStoreTest, AttentionSeesValuesThatWerePutAlone) {
  replace(Rows(Range{0, 70}));
  const auto before = attend(store_.view());
  const RandomTensor v(random_, 1, 32);
  store_.put_values(*backend_, Rows(std::vector<int>{33}), v.view());
  EXPECT_EQ(store_.values().f32(33)[5], v.view().f32()[5]);
  const RandomTensor none(random_, 0, 32);
  const auto after = attend(store_.put(*backend_, Rows(), none.view(), none.view()));
  EXPECT_NE(before, after);
  EXPECT_EQ(after, attend(store_.view()));
}

TEST_F(KvStoreTest, GrowsAndKeepsWhatItHolds) {
  replace(Rows(Range{0, 70}));
  const RandomTensor none(random_, 0, 32);
  const auto before = attend(store_.put(*backend_, Rows(), none.view(), none.view()));
  const KvView old = store_.view();
  const std::vector<float> last_key(old.k.f32(69), old.k.f32(69) + 32);
  store_.grow(*backend_, 90, 32);
  EXPECT_EQ(store_.slots(), 90);
  const KvView grown = store_.view();
  EXPECT_EQ(std::vector<float>(grown.k.f32(69), grown.k.f32(69) + 32), last_key);
  EXPECT_EQ(attend({grown.k.slice({0, 70}), grown.v.slice({0, 70})}), before);
  // What is new is seen, packed or not.
  replace(Rows(Range{70, 90}));
  const auto after = attend(store_.put(*backend_, Rows(), none.view(), none.view()));
  EXPECT_NE(after, before);
  EXPECT_EQ(after, attend(store_.view()));
  EXPECT_THROW(store_.grow(*backend_, 80, 32), LogicError);
  EXPECT_THROW(store_.grow(*backend_, 95, 16), LogicError);
}

TEST_F(KvStoreTest, FreesTheOldBeforeItAllocatesTheNewWhereNothingIsKept) {
  const auto counting = create_counting_backend({});
  KvStore store;
  store.reset(*counting, 100, 32);
  store.reset(*counting, 150, 32);
  EXPECT_EQ(counting->peak_bytes(), 2 * 150 * 32 * sizeof(float));
  store.grow(*counting, 200, 32);  // one of the two at a time
  EXPECT_EQ(counting->peak_bytes(), (150 + 200 + 200) * 32 * sizeof(float));
  store.reset(*counting, 10, 32);
  EXPECT_EQ(store.bytes(), 2 * 10 * 32 * sizeof(float));
}

TEST_F(KvStoreTest, CountsTheBytesOfBothForms) {
  replace(Rows(Range{0, 70}));
  const size_t plain = store_.bytes();
  EXPECT_EQ(plain, 2 * 70 * 32 * sizeof(float));
  attend(store_.view());
  EXPECT_GT(store_.bytes(), plain);
}

TEST(KvStoreReset, CanBeRepeatedAfterMemoryRanOut) {
  testing::LimitedBackend backend(create_reference_backend());
  KvStore store;
  store.reset(backend, 10, 32);
  backend.fail_after(1);  // keys fit, values do not
  EXPECT_THROW(store.reset(backend, 40, 32), Error);
  EXPECT_EQ(store.slots(), 0);
  backend.never_fail();
  store.reset(backend, 40, 32);
  EXPECT_EQ(store.values().rows, 40);
  EXPECT_EQ(backend.live_bytes(), 2 * dense_bytes(40, 32, DType::f32));
}

}  // namespace
}  // namespace unmask
