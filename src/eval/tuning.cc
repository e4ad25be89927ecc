#include "eval/tuning.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/error.h"
#include "core/stop.h"
#include "eval/metric.h"
#include "session/answer.h"

namespace unmask {

namespace {

using Clock = std::chrono::steady_clock;

// From so many examples on a loss that is two standard errors too large ends a profile.
constexpr size_t kEnough = 8;

// Around the presets' own 0.995 and 0.95: the value of most papers, and one below it.
constexpr double kPublished = 0.9;
constexpr double kDaring = 0.8;
constexpr double kLeap = 0.75;  // of arXiv 2510.07081

/// What one profile gave so far.
struct Tally {
  std::vector<double> quality, loss, seconds, first_text, rows;
};

double sum_of(std::span<const double> values, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; ++i) sum += values[i];
  return sum;
}

double mean(std::span<const double> values) {
  return values.empty() ? 0 : sum_of(values, values.size()) / static_cast<double>(values.size());
}

/// Share of the positions of either answer that hold the same token in both.
double agreement(const Result& a, const Result& b) {
  const int longest = std::max(a.answer.size(), b.answer.size());
  if (longest == 0) return 1;
  const auto a_begin = a.tokens.begin() + a.answer.begin;
  const auto shared = a_begin + std::min(a.answer.size(), b.answer.size());
  const int equal = std::inner_product(a_begin, shared, b.tokens.begin() + b.answer.begin, 0,
                                       std::plus<>(), std::equal_to<>());
  return static_cast<double>(equal) / longest;
}

/// An example of a plan; those of several tasks take turns, so that a budget meets all of them.
std::vector<Example> in_turns(const EvalPlan& plan) {
  int most = 0;
  for (const EvalTask& task : plan.tasks) most = std::max(most, task.count);
  std::vector<Example> examples;
  for (int i = 0; i < most; ++i) {
    for (const EvalTask& task : plan.tasks) {
      if (i < task.count) examples.push_back(task.example(i));
    }
  }
  for (const Example& example : examples) {
    if (example.metric != Metric::choice) continue;
    fail("[tune] multiple choice takes one pass of full attention, which no setting changes");
  }
  if (examples.empty()) fail("[tune] found no example, expected at least one");
  return examples;
}

class Tuner {
 public:
  Tuner(const TuningTask& task, Model& model, const TuningCallback& on_progress)
      : task_(task),
        model_(model),
        on_progress_(on_progress),
        examples_(in_turns(task.plan)),
        tallies_(task.profiles.size()),
        given_up_(task.profiles.size()) {}

  Tuning run();

 private:
  Result answer(const Example& example, const Profile& profile);
  /// False: it was told to stop.
  bool tell(const Profile& profile);
  bool ask(const Example& example);
  void give_up();
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  Tuning conclude() const;

  const TuningTask& task_;
  Model& model_;
  const TuningCallback& on_progress_;
  std::vector<Example> examples_;
  std::vector<Tally> tallies_;
  std::vector<bool> given_up_;
  Clock::time_point start_ = Clock::now();
  int done_ = 0;
  bool stopped_ = false;
};

Result Tuner::answer(const Example& example, const Profile& profile) {
  EvalSettings settings = task_.settings;
  settings.generation = with_profile(settings.generation, profile);
  const Request request = eval_request(settings, task_.plan, model_.files(), example,
                                       std::string(preset_name(profile.preset)));
  const auto go_on = [&](const StepEvent&) {
    stopped_ = stopped_ || !tell(profile);
    return !stopped_;
  };
  Result result = generate(model_.transformer(), {&request, 1}, go_on, task_.engine).front();
  if (stopped_ || result.cancelled) throw Stopped{};
  return result;
}

bool Tuner::tell(const Profile& profile) {
  TuningProgress progress{
      .done = done_, .total = static_cast<int>(examples_.size()), .profile = profile_name(profile)};
  if (done_ > 0) {
    const double all = seconds() / done_ * static_cast<double>(examples_.size());
    progress.seconds_left = std::max(0.0, std::min(all, task_.budget) - seconds());
  }
  return on_progress_(progress);
}

bool Tuner::ask(const Example& example) try {
  std::vector<std::optional<Result>> results(task_.profiles.size());
  for (size_t i = 0; i < results.size(); ++i) {
    if (!given_up_[i]) results[i] = answer(example, task_.profiles[i]);
  }
  const bool scored = example.metric != Metric::none;
  const auto quality = [&](const Result& r) {
    return scored ? score_answer(example, answer_text(model_.tokenizer(), r))
                  : agreement(*results[0], r);
  };
  const double reference = quality(*results[0]);
  for (size_t i = 0; i < results.size(); ++i) {
    if (!results[i]) continue;
    Tally& tally = tallies_[i];
    tally.quality.push_back(quality(*results[i]));
    tally.loss.push_back(100 * (reference - tally.quality.back()));
    tally.seconds.push_back(results[i]->seconds);
    tally.first_text.push_back(results[i]->seconds_to_first_text);
    tally.rows.push_back(static_cast<double>(results[i]->rows));
  }
  ++done_;
  return true;
} catch (const Stopped&) {
  return false;
}

void Tuner::give_up() {
  for (size_t i = 1; i < tallies_.size(); ++i) {
    if (tallies_[i].loss.size() < kEnough) continue;
    const Mean loss = mean_of(tallies_[i].loss);
    given_up_[i] = given_up_[i] || loss.value - 2 * loss.standard_error > task_.max_loss;
  }
}

Tuning Tuner::run() {
  // The first pass of a process reads the weights for the first time: it is nobody's.
  answer(examples_.front(), task_.profiles.back());
  start_ = Clock::now();
  for (const Example& example : examples_) {
    if (!ask(example)) break;
    give_up();
    if (seconds() >= task_.budget) break;
  }
  if (done_ == 0) throw Stopped{};
  return conclude();
}

Tuning Tuner::conclude() const {
  Tuning tuning{.examples = done_, .complete = done_ == static_cast<int>(examples_.size())};
  for (size_t i = 0; i < tallies_.size(); ++i) {
    const Tally& t = tallies_[i];
    const double own = sum_of(t.seconds, t.seconds.size());
    tuning.profiles.push_back(
        {.profile = task_.profiles[i],
         .quality = mean_of(t.quality),
         .loss = mean_of(t.loss),
         .seconds = mean(t.seconds),
         .first_text = mean(t.first_text),
         .rows = mean(t.rows),
         .speed_up = own > 0 ? sum_of(tallies_[0].seconds, t.seconds.size()) / own : 1,
         .given_up = given_up_[i]});
  }
  auto& all = tuning.profiles;
  for (TunedProfile& p : all) {
    p.on_front = !p.given_up && std::ranges::none_of(all, [&](const TunedProfile& other) {
      const bool as_good = other.loss.value <= p.loss.value && other.speed_up >= p.speed_up;
      return !other.given_up && as_good &&
             (other.loss.value < p.loss.value || other.speed_up > p.speed_up);
    });
  }
  tuning.best = fastest_allowed(all, task_.max_loss);
  return tuning;
}

}  // namespace

size_t fastest_allowed(std::span<const TunedProfile> profiles, double max_loss) {
  constexpr double kClearly = 1.05;  // as times of equal work differ
  size_t best = 0;
  for (size_t i = 1; i < profiles.size(); ++i) {
    const TunedProfile& p = profiles[i];
    if (p.given_up || p.loss.value > max_loss) continue;
    if (p.speed_up > kClearly * profiles[best].speed_up) best = i;
  }
  return best;
}

std::vector<Profile> tuning_profiles(const ModelConfig& config) {
  std::vector<Profile> profiles{{.preset = Preset::exact},
                                {.preset = Preset::balanced},
                                {.preset = Preset::fast},
                                {.preset = Preset::fast, .leap = kLeap},
                                {.preset = Preset::fast, .threshold = kPublished},
                                {.preset = Preset::fast, .threshold = kDaring}};
  if (config.visibility.is_block_causal()) return profiles;
  // Short blocks cost fewer rows a step and more steps: what pays is the machine's business. A pass
  // over everything comes as often as in blocks of 32, once in 128 tokens.
  for (const int length : {16, 8}) {
    for (const Preset preset : {Preset::balanced, Preset::fast}) {
      profiles.push_back(
          {.preset = preset,
           .method = fmt::format("fast-dllm:cache=dual,refresh=window,full_every={}", 128 / length),
           .block_length = length});
    }
  }
  for (const char* method : {"fast-dllm:cache=dual", "sparse-dllm:delay=0,refresh=window", "dsb"}) {
    for (const Preset preset : {Preset::balanced, Preset::fast}) {
      profiles.push_back({.preset = preset, .method = method});
    }
  }
  return profiles;
}

Tuning tune(const TuningTask& task, Model& model, const TuningCallback& on_progress) {
  UNMASK_CHECK(!task.profiles.empty(), "there is a profile to compare with");
  return Tuner(task, model, on_progress).run();
}

nlohmann::ordered_json to_json(const Tuning& tuning) {
  using Json = nlohmann::ordered_json;
  Json profiles = Json::array();
  for (const TunedProfile& p : tuning.profiles) {
    Json json = to_json(p.profile);
    json.update({{"name", profile_name(p.profile)},
                 {"examples", p.quality.count},
                 {"quality", p.quality.value},
                 {"loss", p.loss.value},
                 {"loss_error", p.loss.standard_error},
                 {"seconds", p.seconds},
                 {"seconds_to_first_text", p.first_text},
                 {"rows", p.rows},
                 {"speed_up", p.speed_up},
                 {"given_up", p.given_up},
                 {"on_front", p.on_front}});
    profiles.push_back(std::move(json));
  }
  return {{"examples", tuning.examples},
          {"complete", tuning.complete},
          {"best", profile_name(tuning.profiles[tuning.best].profile)},
          {"profiles", std::move(profiles)}};
}

}  // namespace unmask
