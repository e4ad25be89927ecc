// A model that ranks load together: all or none, and none that differ.
#include "session/joint_loading.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "generate/engine.h"
#include "session/model.h"
#include "support/error_of.h"
#include "support/thread_ranks.h"

namespace unmask {
namespace {

using testing::ThreadRanks;

TEST(JointLoading, NamesWhatRanksDoNotHaveInCommon) {
  ThreadRanks ranks(3);
  ranks.each([](Communicator& own) {
    const std::string error = testing::error_of([&] {
      JointLoading joint(own, {{"version", "1.2"}}, {});
      joint.agree({{"kernels", own.rank() == 2 ? "avx2" : "avx512"}});
    });
    EXPECT_EQ(error, "[ranks] kernels: found avx2 on rank 2 of 3, expected avx512 as on rank 0");
  });
}

TEST(JointLoading, ARankThatFailsEndsTheLoadingOfAll) {
  for (const bool early : {true, false}) {
    for (const int failing : {0, 1}) {
      ThreadRanks ranks(2);
      ranks.each([&](Communicator& own) {
        const std::string error = testing::error_of([&] {
          EXPECT_TRUE(own.leads() || wait_for_loading(own));
          JointLoading joint(own, {}, {.verifies = true});
          if (early && own.rank() == failing) fail("no such file");
          joint.agree({});
          if (own.rank() == failing) fail("no memory");
          joint.finish();
        });
        const std::string expected = early ? "no such file" : "no memory";
        EXPECT_EQ(error,
                  own.rank() == failing
                      ? expected
                      : fmt::format("[ranks] rank {} of 2 could not load the model", failing));
        // The others are there for the next one.
        if (own.leads()) {
          end_loading(own);
        } else {
          EXPECT_FALSE(wait_for_loading(own));
        }
      });
    }
  }
}

TEST(JointLoading, AModelOnTwoRanksHoldsHalfOnEachAndAnswersAsOne) {
  const ModelFiles files = ModelFiles::open(UNMASK_DEMO_DIRECTORY);
  Request request = append_masks({5, 6, 7, 8}, 16, files.config().mask_id);
  request.steps = 8;
  Model alone(files, {.weights = WeightType::int8, .threads = 1});
  const auto expected = generate(alone.transformer(), {&request, 1})[0].tokens;
  ThreadRanks ranks(2);
  ranks.each([&](Communicator& own) {
    ASSERT_TRUE(own.leads() || wait_for_loading(own));
    JointLoading joint(own, {}, {.verifies = true});
    Model model(files, {.weights = WeightType::int8, .threads = 1, .joint = &joint});
    EXPECT_NEAR(static_cast<double>(model.weights().packed_bytes),
                static_cast<double>(alone.weights().packed_bytes) / 2,
                static_cast<double>(alone.weights().packed_bytes) / 50);
    // A gather takes memory beside.
    EXPECT_GT(model.costs().request_bytes(request), alone.costs().request_bytes(request));
    if (!own.leads()) return model.follow();
    EXPECT_EQ(generate(model.transformer(), {&request, 1})[0].tokens, expected);
  });
}

}  // namespace
}  // namespace unmask
