#include "eval/tuning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>
#include <string>

#include "core/error.h"
#include "core/stop.h"
#include "methods/registry.h"

namespace unmask {
namespace {

/// The embedded model, and examples that a test makes up.
class TuningTest : public ::testing::Test {
 protected:
  static Example question(int number, Metric metric) {
    const std::string code = std::to_string(1000 + 7 * number);
    return {
        .messages = {{"user", "Text: It was late. The code of the brave otter is " + code +
                                  ". Rain fell. Question: What is the code of the brave otter?"}},
        .metric = metric,
        .references = {code},
        .gen_length = 32};
  }
  static EvalTask asked(const std::string& name, int count, Metric metric = Metric::any) {
    return {.name = {name, 0}, .count = count, .example = [metric](int i) {
              return question(i, metric);
            }};
  }
  Tuning tuned(
      std::vector<EvalTask> tasks, std::vector<Profile> profiles, double budget = 600,
      const TuningCallback& go_on = [](const TuningProgress&) { return true; }) {
    const EvalPlan plan{.tasks = std::move(tasks)};
    return tune(
        {.settings = settings_, .plan = plan, .profiles = std::move(profiles), .budget = budget},
        model_, go_on);
  }

  EvalSettings settings_;
  ModelFiles files_ = ModelFiles::open(UNMASK_DEMO_DIRECTORY);
  Model model_{files_, {.threads = 1}};
};

TEST_F(TuningTest, ComparesWithTheFirstOnTheSameExamples) {
  const Tuning t =
      tuned({asked("codes", 3)}, {{.preset = Preset::exact}, {.preset = Preset::fast}});
  EXPECT_EQ(t.examples, 3);
  EXPECT_TRUE(t.complete);
  ASSERT_EQ(t.profiles.size(), 2U);
  EXPECT_EQ(t.profiles[0].loss.value, 0);
  EXPECT_EQ(t.profiles[0].speed_up, 1);
  EXPECT_EQ(t.profiles[0].quality.value, 1) << "the model finds a code";
  EXPECT_LT(t.profiles[1].rows, t.profiles[0].rows / 4);
  EXPECT_EQ(t.best, 1U);
  EXPECT_TRUE(t.profiles[1].on_front);
}

TEST(Tuning, TheCarefulIsChosenWhereTheBoldIsNotClearlyFaster) {
  const auto profile = [](double loss, double speed_up) {
    TunedProfile p;
    p.loss.value = loss;
    p.speed_up = speed_up;
    return p;
  };
  std::vector<TunedProfile> all{profile(0, 1), profile(0.2, 10), profile(0.4, 10.4)};
  EXPECT_EQ(fastest_allowed(all, 1), 1U);
  all.push_back(profile(0.9, 11));
  EXPECT_EQ(fastest_allowed(all, 1), 3U);
  EXPECT_EQ(fastest_allowed(all, 0.5), 1U);
  all[3].given_up = true;
  EXPECT_EQ(fastest_allowed(all, 1), 1U);
  EXPECT_EQ(fastest_allowed(all, 0.1), 0U);
}

TEST_F(TuningTest, GivesUpWhatLosesBeyondDoubt) {
  // A narrow window does not see the code.
  const Profile blind{.preset = Preset::exact, .method = "sliding-window:window=1,block=8"};
  const Tuning t = tuned({asked("codes", 10)}, {{.preset = Preset::balanced}, blind});
  EXPECT_TRUE(t.profiles[1].given_up);
  EXPECT_FALSE(t.profiles[1].on_front);
  EXPECT_EQ(t.profiles[1].quality.count, 8);
  EXPECT_EQ(t.profiles[0].quality.count, 10);
  EXPECT_EQ(t.best, 0U);
}

TEST_F(TuningTest, WithoutAnswersWhatAgreesWithTheFirstIsGood) {
  const Profile blind{.preset = Preset::exact, .method = "sliding-window:window=1,block=8"};
  const Tuning t = tuned({asked("open", 2, Metric::none)},
                         {{.preset = Preset::exact}, {.preset = Preset::balanced}, blind});
  EXPECT_EQ(t.profiles[0].quality.value, 1);
  EXPECT_GT(t.profiles[1].quality.value, 0.9);
  EXPECT_LT(t.profiles[2].quality.value, 0.9);
}

TEST_F(TuningTest, KeepsToTheBudget) {
  const Tuning t = tuned({asked("a", 5), asked("b", 5)}, {{.preset = Preset::fast}}, 1e-9);
  EXPECT_EQ(t.examples, 1) << "the example at hand is finished";
  EXPECT_FALSE(t.complete);
}

TEST_F(TuningTest, EndsWhenToldTo) {
  const auto never = [](const TuningProgress&) { return false; };
  EXPECT_THROW(tuned({asked("codes", 2)}, {{.preset = Preset::fast}}, 600, never), Stopped);
  const auto once = [](const TuningProgress& p) { return p.done == 0; };
  EXPECT_EQ(tuned({asked("codes", 2)}, {{.preset = Preset::fast}}, 600, once).examples, 1);
}

TEST_F(TuningTest, RefusesWhatNoSettingChanges) {
  EXPECT_THROW(tuned({asked("choices", 1, Metric::choice)}, {{.preset = Preset::fast}}), Error);
  EXPECT_THROW(tuned({}, {{.preset = Preset::fast}}), Error);
}

TEST(TuningProfiles, AreDifferentAndFitTheModel) {
  ModelConfig config;
  config.n_layers = config.n_heads = config.n_kv_heads = 1;
  for (const int block : {0, 32}) {
    config.visibility.block = block;
    const std::vector<Profile> profiles = tuning_profiles(config);
    EXPECT_EQ(profiles[0], Profile{.preset = Preset::exact}) << "what the others are compared with";
    std::set<std::string> names;
    for (const Profile& p : profiles) {
      EXPECT_TRUE(names.insert(profile_name(p)).second) << profile_name(p);
      EXPECT_NO_THROW(create_method(p.method.value_or("full"), {config, 0})) << profile_name(p);
    }
  }
}

}  // namespace
}  // namespace unmask
