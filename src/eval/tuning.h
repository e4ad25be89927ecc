// Finds the fastest settings that answer somebody's own examples as well as the published sampler,
// or nearly.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "eval/plan.h"
#include "eval/summary.h"
#include "session/model.h"
#include "session/profile.h"

namespace unmask {

/// What is tried: the preset `exact` first, which the others are compared with, then the others
/// and methods at several thresholds, as far as the model has them.
std::vector<Profile> tuning_profiles(const ModelConfig& config);

struct TuningTask {
  const EvalSettings& settings;  // but for preset, method and threshold
  const EvalPlan& plan;          // its examples; those of several tasks take turns
  std::vector<Profile> profiles{};
  double max_loss = 1;  // points of a hundred below the first profile
  double budget = 600;  // seconds; the example at hand is finished
  EngineOptions engine{};
};

/// One profile over the examples that it answered.
struct TunedProfile {
  Profile profile{};
  Mean quality{};         // scores, or agreement with the first profile's answers; 0 to 1
  Mean loss{};            // below the first profile on the same examples, points of a hundred
  double seconds = 0;     // mean of an answer
  double first_text = 0;  // mean seconds until the first text is settled
  double rows = 0;        // mean of an answer
  double speed_up = 1;    // seconds of the first profile on the same examples over these
  bool given_up = false;  // its loss was beyond doubt, so later examples went without it
  bool on_front = false;  // nothing is both better and faster
};

struct Tuning {
  std::vector<TunedProfile> profiles{};  // in the order of the task
  size_t best = 0;                       // fastest_allowed()
  int examples = 0;                      // that were asked
  bool complete = false;                 // all there are
};

/// The fastest whose mean loss is no more than `max_loss`, or the first. What is clearly faster
/// than none before it is passed over: the profiles come from the careful to the bold.
size_t fastest_allowed(std::span<const TunedProfile> profiles, double max_loss);

struct TuningProgress {
  int done = 0;  // examples
  int total = 0;
  std::string profile{};                 // that is answering
  std::optional<double> seconds_left{};  // none before the first example is done
};
/// Returning false ends the work with what there is.
using TuningCallback = std::function<bool(const TuningProgress&)>;

/// Answers each example with every profile that is not given up. What has no right answer counts by
/// how many positions of the first profile's answer have its token. Throws Error for multiple
/// choice, which no profile changes, and Stopped when it ended before the first example.
Tuning tune(const TuningTask& task, Model& model, const TuningCallback& on_progress);

nlohmann::ordered_json to_json(const Tuning& tuning);

}  // namespace unmask
