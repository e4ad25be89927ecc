// `unmask bench`: how fast generations are on this machine, for models of any shape.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/commands/cli.h"
#include "apps/commands/commands.h"
#include "apps/reports/baseline.h"
#include "apps/reports/bench_view.h"
#include "apps/reports/report.h"
#include "apps/terminal/output_file.h"
#include "apps/terminal/progress.h"
#include "apps/terminal/units.h"
#include "bench/model_shapes.h"
#include "io/json_file.h"
#include "methods/registry.h"
#include "session/model.h"

namespace unmask {

namespace {

constexpr int kMaxTokens = 1'000'000;

CLI::Option* add_count(CLI::App& app, const std::string& name, int& value,
                       const std::string& help) {
  return app.add_option(name, value, help)
      ->check(CLI::Range(1, kMaxTokens).description(""))
      ->type_name("N");
}

void add_cases(CLI::App& app, BenchArguments& a) {
  constexpr const char* kGroup = "What is measured";
  app.add_option("--shape", a.shape,
                 fmt::format("Size of the model, whose weights are random: {}; with changes as in "
                             "llada-8b,layers=4 (also d, heads, kv_heads, ffn, vocab) (demo)",
                             fmt::join(model_shape_names(), ", ")))
      ->type_name("SHAPE")
      ->group(kGroup);
  app.add_option("--method", a.methods,
                 "Method, NAME or NAME:OPTION=VALUE,...; once for each (full)")
      ->allow_extra_args(false)
      ->type_name(fmt::format("{{{}}}", fmt::join(method_names(), ",")))
      ->group(kGroup);
  app.add_option("--context", a.contexts, "Tokens of prompt and generation together (512)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::Range(2, kMaxTokens).description(""))
      ->type_name("N[,N...]")
      ->group(kGroup);
  std::vector<std::string> types = weight_type_names();
  types.erase(types.begin());  // auto: there is no checkpoint to ask
  app.add_option("--dtype", a.dtypes, "Types of the weights (bf16)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::IsMember(types).description(""))
      ->type_name(fmt::format("{{{}}}", fmt::join(types, ",")))
      ->group(kGroup);
  add_count(app, "-n,--gen-length", a.about.gen_length, "Tokens to generate (32)")->group(kGroup);
  add_count(app, "--block-length", a.about.block_length,
            "Tokens denoised together (32, or all where there are fewer)")
      ->group(kGroup);
  add_count(app, "--steps", a.about.steps, "Denoising steps in all (one a token)")->group(kGroup);
  add_count(app, "--measured-steps", a.about.most_steps,
            "Run only so many steps, and project the others from those like them")
      ->group(kGroup);
  add_count(app, "--repeat", a.about.repeat, "Generations to take medians over (1)")->group(kGroup);
  add_count(app, "--threads", a.threads, "Threads to compute with (every processor there is)")
      ->group(kGroup);
}

PictureFormat picture_format(const std::string& file) {
  const std::string suffix = std::filesystem::path(file).extension().string();
  if (suffix == ".svg") return PictureFormat::svg;
  if (suffix == ".png") return PictureFormat::png;
  fail("[bench] {}: found the suffix '{}', expected .svg or .png", printable(file),
       printable(suffix));
}

/// Every method at every context.
std::vector<BenchCase> cases_of(const BenchArguments& a) {
  const ModelConfig config = parse_shape(a.shape);
  BenchCase about = a.about;
  if (about.block_length == 0) about.block_length = std::min(32, about.gen_length);
  if (about.steps == 0) about.steps = about.gen_length;
  std::vector<BenchCase> cases;
  for (const int context : a.contexts) {
    for (const std::string& method : a.methods) {
      about.method = method;
      about.context = context;
      check_bench_case(config, about);
      cases.push_back(about);
    }
  }
  return cases;
}

BenchRun measure(const BenchArguments& a, const std::vector<BenchCase>& cases, WeightType type,
                 const Ceilings& ceilings, Console& console) {
  ProgressLine line(console.err, console.err_terminal);
  const auto making = [&](int64_t done, int64_t total) {
    const double share = static_cast<double>(done) / static_cast<double>(total);
    line.show(fmt::format("making {} weights: {:.0f} %, {} left", weight_type_name(type),
                          100 * share, format_duration(line.seconds() / share * (1 - share))));
  };
  const BenchModel model(a.shape, type, ceilings.threads, making);
  BenchRun run{a.shape,
               std::string(weight_type_name(type)),
               model.meter().describe(),
               model.weight_bytes(),
               {}};
  for (const BenchCase& about : cases) {
    const auto progress = [&](int step, int steps) {
      line.show(fmt::format("{}, {} tokens, {}: step {}/{}", run.weights, about.context,
                            about.method, step, steps));
    };
    run.generations.push_back(measure_generation(model, about, ceilings, progress));
  }
  return run;
}

int measure_targets(const BenchArguments& a, int threads, Console& console) {
  // Files first, before ten minutes of work.
  const std::vector<Target> before = a.compare ? read_baseline(*a.compare) : std::vector<Target>();
  std::optional<OutputFile> file;
  if (a.save) file.emplace(*a.save);
  ProgressLine line(console.err, console.err_terminal);
  std::vector<Target> targets;
  const auto sink = [&](const Target& target) {
    line.clear();
    if (!a.json) {
      console.out << (targets.empty() ? target_header() : "") << target_line(target) << std::flush;
    }
    targets.push_back(target);
    line.show(fmt::format("{} measured", targets.size()));
  };
  measure_kernel_targets(threads, sink);
  measure_method_targets(threads, sink);
  line.clear();
  const std::vector<TargetChange> changes = compare_targets(before, targets);
  if (a.json) {
    console.out << json_line(targets_json(targets));
  } else {
    console.out << targets_summary(targets) << (a.compare ? changes_text(changes) : "");
  }
  if (file) {
    file->stream() << targets_json(targets).dump(1) << '\n';
    file->commit();
  }
  if (a.compare) return std::ranges::any_of(changes, &TargetChange::worse) ? kFailure : kSuccess;
  return std::ranges::any_of(targets, &Target::missed) ? kFailure : kSuccess;
}

}  // namespace

CLI::App* add_bench(CLI::App& app, BenchArguments& a) {
  CLI::App* command =
      app.add_subcommand("bench", "Measure generations next to what the processor can do");
  add_cases(*command, a);
  CLI::Option* preset =
      restrict_to(
          command->add_option("--preset", a.preset,
                              "Measure what this project wants to reach: kernels, steps and "
                              "generations, about ten minutes; fails where a target is missed by "
                              "more than its spread"),
          {"targets"})
          ->group("What is measured");
  for (const CLI::Option* other : command->get_options()) {
    const std::string& name = other->get_name();
    if (name != "--help" && name != "--preset" && name != "--threads") preset->excludes(name);
  }
  command->add_option("--save", a.save, "With --preset: keep the figures in this file")
      ->needs(preset)
      ->type_name("FILE")
      ->group("Output");
  command
      ->add_option("--compare", a.compare,
                   "With --preset: tell what is worse or better than in this file, beyond the "
                   "spread of both; fails where something is worse")
      ->needs(preset)
      ->type_name("FILE")
      ->group("Output");
  command->add_flag("--json", a.json, "Print JSON")->group("Output");
  command->add_option("--plot", a.plot, "Draw seconds and memory against context: .svg or .png")
      ->type_name("FILE")
      ->group("Output");
  command->footer(
      "Examples:\n"
      "  unmask bench --context 512,1024,2048 --method full --method sparse-dllm\n"
      "  unmask bench --shape llada-8b,layers=4 --dtype bf16,int8 --context 2048 --steps 4\n"
      "  unmask bench --shape dream-7b,layers=2 --method full --method sparsed --context 8192 \\\n"
      "    --steps 10 --plot sparsed.svg\n"
      "  unmask bench --preset targets --save before.json\n"
      "  unmask bench --preset targets --compare before.json");
  return command;
}

int bench(const BenchArguments& a, Console& console) {
  const int threads = threads_for(a.threads, console);
  if (a.preset) {
    if (a.plot) fail("[bench] --plot draws generations; leave it or --preset out");
    return measure_targets(a, threads, console);
  }
  const PictureFormat format = a.plot ? picture_format(*a.plot) : PictureFormat::svg;
  const std::vector<BenchCase> cases = cases_of(a);
  std::optional<OutputFile> file;  // before the work, which may take hours
  if (a.plot) file.emplace(*a.plot);
  const Ceilings ceilings = measure_ceilings(threads);
  if (!a.json) console.out << ceilings_text(ceilings);
  std::vector<BenchRun> runs;
  for (const std::string& dtype : a.dtypes) {
    runs.push_back(measure(a, cases, *parse_weight_type(dtype), ceilings, console));
    if (!a.json) console.out << bench_text(runs.back()) << std::flush;
  }
  if (a.json) console.out << json_line(bench_json(ceilings, runs)) << std::flush;
  if (file) {
    file->stream() << bench_plot(runs, format);
    file->commit();
  }
  return kSuccess;
}

}  // namespace unmask
