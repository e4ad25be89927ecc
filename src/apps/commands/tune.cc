// `unmask tune`: the fastest settings that somebody's own examples stand.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "apps/commands/cli.h"
#include "apps/commands/commands.h"
#include "apps/commands/denoise.h"
#include "apps/reports/tuning_view.h"
#include "apps/terminal/output_file.h"
#include "apps/terminal/progress.h"
#include "apps/terminal/terminal.h"
#include "apps/terminal/units.h"
#include "core/parse_number.h"
#include "eval/metric.h"
#include "eval/tuning.h"
#include "io/json_file.h"

namespace unmask {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kTuneGroup = "Tuning";

/// "90", "90s", "10m", "2h" in seconds. Throws CLI::ValidationError for anything else.
double parse_duration(const std::string& text) {
  constexpr double kMost = 1e7;
  const char unit = text.empty() ? '\0' : text.back();
  const double seconds = unit == 'm' ? 60 : unit == 'h' ? 3600 : 1;
  const bool has_unit = unit == 's' || unit == 'm' || unit == 'h';
  const auto count = parse_number<double>(text.substr(0, text.size() - (has_unit ? 1 : 0)));
  if (!count || *count <= 0 || *count * seconds > kMost) {
    throw CLI::ValidationError("--budget", "expected a time like 90s, 10m or 2h");
  }
  return *count * seconds;
}

void add_tuning_arguments(CLI::App& app, TuneArguments& a) {
  app.add_option("-f,--file", a.settings.files,
                 "Your examples as JSON lines, repeatable: \"prompt\" and, where there is a right "
                 "one, \"answer\" or \"answers\"")
      ->required()
      ->allow_extra_args(false)
      ->type_name("FILE")
      ->group(kTuneGroup);
  restrict_to(app.add_option("--metric", a.settings.metric,
                             "How answers are scored that name no \"metric\" (exact; without an "
                             "answer by how much of the published sampler's is the same)"),
              metric_names())
      ->group(kTuneGroup);
  app.add_option("--limit", a.settings.limit, "Examples of each file (100)")
      ->check(CLI::Range(1, 1'000'000).description(""))
      ->type_name("N")
      ->group(kTuneGroup);
  app.add_option_function<std::string>(
         "--budget", [&a](const std::string& text) { a.budget = parse_duration(text); },
         "Time after which no further example is asked (10m)")
      ->type_name("TIME")
      ->group(kTuneGroup);
  app.add_option("--max-loss", a.max_loss,
                 "Points of a hundred that may be lost against the published sampler (1)")
      ->check(CLI::Range(0.0, 100.0).description(""))
      ->type_name("POINTS")
      ->group(kTuneGroup);
  add_length_arguments(app, a.settings.generation);
}

/// The settings that were chosen, and where they come from.
Json profile_of(const Tuning& tuning, const ModelFiles& files) {
  const TunedProfile& best = tuning.profiles[tuning.best];
  Json json = to_json(best.profile);
  json["model"] = files.name();
  json["measured"] = {{"examples", best.quality.count},
                      {"quality", best.quality.value},
                      {"loss", best.loss.value},
                      {"loss_error", best.loss.standard_error},
                      {"speed_up", best.speed_up}};
  return json;
}

}  // namespace

CLI::App* add_tune(CLI::App& app, TuneArguments& a) {
  CLI::App* command =
      app.add_subcommand("tune", "Find the fastest settings that your examples stand");
  add_model_arguments(*command, a.model);
  add_tuning_arguments(*command, a);
  add_chat_arguments(*command, a.settings.prompt);
  add_raw_argument(*command, a.settings.prompt.raw);
  add_seed_argument(*command, a.settings.generation.seed, a.settings.generation.seed_drawn,
                    "Seed of the answers (0); -1 draws one", kTuneGroup);
  command->add_option("-o,--out", a.out, "File for --profile of run, chat, batch and serve")
      ->type_name("FILE")
      ->group("Output");
  command->add_option("--plot", a.plot, "Page with a plot of quality against time")
      ->type_name("FILE")
      ->group("Output");
  command->add_flag("--json", a.json, "Everything as one JSON object")->group("Output");
  command->footer(
      "Every example is answered by the published sampler and by presets and methods; the fastest\n"
      "of those that lose no more than --max-loss is the profile. What clearly loses more is "
      "given\n"
      "up after some examples. Times are those of this machine and these lengths.\n\n"
      "Examples:\n"
      "  unmask tune -m models/LLaDA-8B-Instruct -f examples.jsonl --budget 30m -o mine.json\n"
      "  unmask chat -m models/LLaDA-8B-Instruct --profile mine.json");
  return command;
}

int tune(const TuneArguments& a, Console& console) {
  const ModelFiles files = ModelFiles::open(a.model.directory, a.model.overrides);
  const EvalPlan plan = plan_evaluation(a.settings, files);
  announce_seed(a.settings.generation.seed, a.settings.generation.seed_drawn, console);
  const InterruptWatch watch;
  const Request first =
      eval_request(a.settings, plan, files, plan.tasks.front().example(0), "exact");
  Model model = load_model(a.model, files, {&first, 1}, console);
  ProgressLine line(console.err, console.err_terminal, kLogInterval);
  const auto on_progress = [&](const TuningProgress& p) {
    line.show(fmt::format("{} of {}, {}, {} left", p.done, p.total, p.profile,
                          p.seconds_left ? format_duration(*p.seconds_left) : "a while"));
    return !interrupted();
  };
  const Tuning tuning = tune({.settings = a.settings,
                              .plan = plan,
                              .profiles = tuning_profiles(files.config()),
                              .max_loss = a.max_loss,
                              .budget = a.budget,
                              .engine = engine_options(a.model, model)},
                             model, on_progress);
  line.clear();
  if (a.json) {
    console.out << json_line(to_json(tuning));
  } else {
    print_text(console, to_text(tuning_table(tuning)) + tuning_verdict(tuning) + '\n');
  }
  console.out << std::flush;  // before the files: a full disk must not cost the table
  const double finest = 100.0 / tuning.examples;
  if (finest > a.max_loss) {
    warn(console, "{} example{} cannot tell a loss of {} points, one of them is {:.1f}; {}",
         tuning.examples, tuning.examples == 1 ? "" : "s", a.max_loss, finest,
         tuning.complete ? "give more" : "a larger --budget asks more");
  }
  if (interrupted()) return kInterrupted;
  if (a.plot) write_file(*a.plot, tuning_page(tuning, files.name()));
  if (a.out) write_file(*a.out, profile_of(tuning, files).dump(1) + '\n');
  return kSuccess;
}

}  // namespace unmask
