// `unmask eval`: how well a model answers, method by method.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/commands/cli.h"
#include "apps/commands/commands.h"
#include "apps/commands/denoise.h"
#include "apps/reports/eval_page.h"
#include "apps/reports/eval_tables.h"
#include "apps/terminal/output_file.h"
#include "apps/terminal/progress.h"
#include "apps/terminal/terminal.h"
#include "apps/terminal/units.h"
#include "eval/example.h"
#include "eval/experiments.h"
#include "eval/identity.h"
#include "eval/likelihood.h"
#include "eval/metric.h"
#include "eval/run.h"
#include "eval/tasks.h"
#include "io/json_file.h"
#include "methods/registry.h"
#include "session/adapters.h"
#include "session/find_model.h"

namespace unmask {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kEvalGroup = "Evaluation";
constexpr int kMaxLength = 1'000'000;

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

/// The adapters merged into the model, so that their results are not taken for those without.
Json adapters_of(const ModelArguments& model) {
  Json list = Json::array();
  for (const std::string& text : model.adapters) {
    const AdapterChoice choice = parse_adapter(text, hub_cache());
    list.push_back(
        {{"name", choice.directory.filename().string()},
         {"scale", choice.scale},
         {"fingerprint", fmt::format("{:016x}", LoraAdapter(choice.directory).fingerprint())}});
  }
  return list;
}

/// Everything that a result depends on, apart from its task, length, method and index.
Json settings_of(const EvalArguments& a, const EvalPlan& plan, const ModelFiles& files) {
  const TensorDirectory& checkpoint = files.checkpoint();
  const EvalSettings& e = a.settings;
  const RequestOptions& g = e.generation;
  Json settings{
      {"model", files.name()},
      {"checkpoint_bytes", checkpoint.total_bytes()},
      {"checkpoint_fingerprint", fmt::format("{:016x}", checkpoint.fingerprint())},
      {"description_fingerprint", description_fingerprint(files)},
      {"dtype", weight_type_name(resolve_weight_type(parse_weight_type(a.model.dtype),
                                                     find_device(a.model.device).kind, checkpoint,
                                                     files.config()))},
      {"seed", g.seed},
      {"preset", preset_name(g.preset)},
      {"wording", wording_names()[static_cast<size_t>(e.wording)]},
      {"tokens_per_step", or_null(g.tokens_per_step ? g.tokens_per_step : plan.tokens_per_step)},
      {"max_tokens", or_null(g.max_tokens)},
      {"gen_length", or_null(g.gen_length)},
      {"steps", or_null(g.steps)},
      {"block_length", or_null(g.block_length)},
      {"algorithm", or_null(g.algorithm)},
      {"temperature", or_null(g.temperature)},
      {"top_p", or_null(g.top_p)},
      {"top_k", or_null(g.top_k)},
      {"alg_temp", or_null(g.alg_temp)},
      {"eps", or_null(g.eps)},
      {"threshold", or_null(g.threshold)},
      {"factor", or_null(g.factor)},
      {"leap", or_null(g.leap)},
      {"leap_radius", or_null(g.leap_radius)},
      {"credit", g.credit},
      {"cfg_scale", g.cfg_scale},
      {"suppress_eos", g.suppress_eos},
      {"defer_eos", g.defer_eos},
      {"attach_eos", g.attach_eos},
      {"early_stop", g.early_stop},
      {"raw", e.prompt.raw},
      {"template", or_null(e.prompt.format)},
      {"system", or_null(e.prompt.system)},
      {"metric", or_null(e.metric)},
      {"mc_samples", e.samples},
      {"fidelity", e.fidelity}};
  if (g.edit) settings["edit"] = *g.edit;
  if (g.drafts) settings["drafts"] = *g.drafts;
  const ModelOverrides& o = a.model.overrides;
  if (o.family) settings["family"] = *o.family;
  if (o.mask_id) settings["mask_id"] = *o.mask_id;
  if (o.eos_id) settings["eos_id"] = *o.eos_id;
  if (o.block) settings["model_block"] = *o.block;
  if (o.shift_logits) settings["shift_logits"] = *o.shift_logits;
  // Absent without any, so that folders of results made before there were adapters go on.
  if (!a.model.adapters.empty()) settings["adapters"] = adapters_of(a.model);
  return settings;
}

EvalFacts facts_of(int threads, const Json& settings) {
  EvalFacts facts{{"version", UNMASK_VERSION}, {"threads", std::to_string(threads)}};
  for (const auto& [name, value] : settings.items()) {
    if (value.is_null() || value == false) continue;
    facts.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
  }
  return facts;
}

std::string tables_of(const Summary& summary, std::string (*print)(const TextTable&)) {
  std::string out = print(overview_table(summary)) + '\n' + print(score_table(summary));
  if (const auto fidelity = fidelity_table(summary)) out += '\n' + print(*fidelity);
  return out;
}

std::string progress_text(const EvalProgress& p) {
  return fmt::format("{} of {}, {} {}, {}, {} left", p.done, p.total, p.at.task,
                     p.at.length > 0 ? std::to_string(p.at.length) : "", p.at.method,
                     p.seconds_left ? format_duration(*p.seconds_left) : "a while");
}

/// Of each task under each method, to see before the work what does not fit; the examples of a file
/// have many lengths, and the others are planned when it is their turn.
std::vector<Request> first_requests(const EvalArguments& a, const EvalPlan& plan,
                                    const ModelFiles& files) {
  std::vector<Request> requests{whole_canvas(files, std::max(plan.longest(), 1))};
  for (const EvalTask& task : plan.tasks) {
    if (task.count == 0) continue;
    const Example example = task.example(0);
    if (example.metric == Metric::choice) {
      const auto prompt = static_cast<int>(eval_prompt(a.settings, files, example).size());
      for (const std::string& choice : example.choices) {
        const auto tokens =
            static_cast<int>(encode_answer(files, a.settings.prompt, choice).size());
        requests.push_back(whole_canvas(files, likelihood_rows(prompt + tokens, tokens)));
      }
      continue;
    }
    for (const std::string& method : plan.methods) {
      requests.push_back(eval_request(a.settings, plan, files, example, method));
    }
  }
  return requests;
}

void add_what_to_ask(CLI::App& app, EvalSettings& a) {
  restrict_to(app.add_option("--experiment", a.experiment,
                             "Tasks, lengths and methods by name; the options below replace parts "
                             "of it"),
              experiment_names())
      ->group(kEvalGroup);
  restrict_to(app.add_option("--task", a.tasks, "Generated tasks, repeatable"),
              generated_task_names())
      ->delimiter(',')
      ->allow_extra_args(false)
      ->group(kEvalGroup);
  app.add_option("--length", a.lengths,
                 "Lengths of the canvas of generated tasks, prompt and answer (1024, or the "
                 "experiment's), repeatable")
      ->check(CLI::Range(64, kMaxLength).description(""))
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("N")
      ->group(kEvalGroup);
  app.add_option("-f,--file", a.files,
                 "Examples as JSON lines, repeatable: \"prompt\" and \"answer\" or \"answers\", "
                 "or \"choices\" and the right one as \"answer\"")
      ->allow_extra_args(false)
      ->type_name("FILE")
      ->group(kEvalGroup);
  restrict_to(app.add_option("--metric", a.metric,
                             "How answers to lines of files are scored that name no \"metric\" "
                             "(choice with choices, else exact)"),
              metric_names())
      ->group(kEvalGroup);
  app.add_option(
         "--method", a.methods,
         "Methods or presets to compare, the first with the others (full, or the experiment's), "
         "repeatable; behind @ how much a step decides: fast@threshold=0.9,leap=0.75")
      ->allow_extra_args(false)
      ->type_name(
          fmt::format("{{{},{}}}", fmt::join(method_names(), ","), fmt::join(preset_names(), ",")))
      ->group(kEvalGroup);
}

void add_how_to_ask(CLI::App& app, EvalSettings& a) {
  app.add_option("--limit", a.limit, "Examples of each task and length (100)")
      ->check(CLI::Range(1, 1'000'000).description(""))
      ->type_name("N")
      ->group(kEvalGroup);
  restrict_to(app.add_option_function<std::string>(
                  "--wording", [&a](const std::string& name) { a.wording = parse_wording(name); },
                  "Where the question of a generated task stands: behind the text, before it, or "
                  "both (last)"),
              wording_names())
      ->group(kEvalGroup);
  app.add_option("--mc-samples", a.samples, "Maskings to estimate the likelihood of a choice (128)")
      ->check(CLI::Range(1, 1'000'000).description(""))
      ->type_name("N")
      ->group(kEvalGroup);
  app.add_flag("--fidelity", a.fidelity,
               "Also compare each step with full attention; needs no answers and takes longer")
      ->group(kEvalGroup);
}

void add_output(CLI::App& app, EvalArguments& a) {
  app.add_option(
         "-o,--out", a.out,
         "Folder for results.jsonl, summary.json, summary.md and report.html; with the same "
         "folder an interrupted evaluation goes on")
      ->type_name("DIR")
      ->group("Output");
  app.add_option(
         "--shard", a.shard,
         "With -o: answer the I-th of N shares of the examples only, beside other processes; "
         "without it the same command then finishes what is missing and sums all up (the "
         "share of mpirun or srun)")
      ->type_name("I/N")
      ->group("Output");
  app.add_flag("--json", a.json, "The summary as one JSON object")->group("Output");
}

/// What this process does of the work. Throws Error for a share whose results would be lost.
Shard shard_of(const EvalArguments& a) {
  const Shard shard = chosen_shard(a.shard, a.model);
  if (!shard.whole() && !a.out) {
    fail("[shard] {}: found no folder for its results; give all shares the same one", shard.name());
  }
  return shard;
}

}  // namespace

CLI::App* add_eval(CLI::App& app, EvalArguments& a) {
  CLI::App* command = app.add_subcommand("eval", "Measure how well methods answer");
  add_model_arguments(*command, a.model);
  add_what_to_ask(*command, a.settings);
  add_how_to_ask(*command, a.settings);
  add_output(*command, a);
  add_chat_arguments(*command, a.settings.prompt);
  add_raw_argument(*command, a.settings.prompt.raw);
  add_denoising_arguments(*command, a.settings.generation);
  std::string tasks;
  for (const GeneratedTask& task : generated_tasks()) {
    tasks += fmt::format("  {:<12}{}\n", task.name, task.what);
  }
  std::string experiments;
  for (const Experiment& e : unmask::experiments()) {
    experiments += fmt::format("  {:<22}{}\n", e.name, e.what);
  }
  command->footer(fmt::format(
      "Generated tasks, after RULER:\n{}\nExperiments:\n{}\n{}\n"
      "The same seed gives the same examples and answers.\n\n"
      "Examples:\n"
      "  unmask eval -m models/demo --experiment compare --limit 20 -o compare\n"
      "  unmask eval -m models/LLaDA-8B-Instruct --task multikey --task vt --length 4096 \\\n"
      "    --method full --method sparsed:select=0.3 --limit 50 -o ruler\n"
      "  unmask eval -m models/LLaDA-8B-Instruct -f gsm8k.jsonl --metric numeric -n 256 -o gsm8k\n"
      "  unmask eval -m models/demo --task multikey --method sparse-dllm --fidelity --limit 5",
      tasks, experiments, preset_help()));
  return command;
}

int eval(const EvalArguments& a, Console& console) {
  const ModelFiles files = ModelFiles::open(a.model.directory, a.model.overrides);
  const EvalPlan plan = plan_evaluation(a.settings, files);
  const Json settings = settings_of(a, plan, files);
  announce_seed(a.settings.generation.seed, a.settings.generation.seed_drawn, console);
  const Shard shard = shard_of(a);
  ResultStore store(a.out, settings, shard);
  if (plan.longest() > files.config().max_positions) {
    warn(console, "{} tokens are more than the {} positions the model was trained for",
         plan.longest(), files.config().max_positions);
  }
  const InterruptWatch watch;
  Model model = load_model(a.model, files, first_requests(a, plan, files), console);
  const EvalRun run{a.settings, plan, engine_options(a.model, model), shard};
  ProgressLine line(console.err, console.err_terminal, kLogInterval);
  std::string far;
  const auto on_progress = [&](const EvalProgress& progress) {
    line.show(progress_text(progress));
    far = fmt::format(" after {} of {} answers", progress.done, progress.total);
    return !interrupted();
  };
  if (!run_evaluation(run, model, store, on_progress)) {
    line.clear();
    tell(console, "interrupted{}{}", far, a.out ? "; the same command goes on from " + *a.out : "");
    return kInterrupted;
  }
  line.clear();
  if (!shard.whole()) {
    tell(console, "share {} is done; without a share the same command sums all of {} up",
         shard.name(), *a.out);
    return kSuccess;
  }
  Summary summary = summarize(records_in_order(plan, store));
  add_costs(run, model, summary);
  Json json{{"settings", settings}};
  json.update(to_json(summary));
  print_text(console, a.json ? json_line(json) : tables_of(summary, to_text));
  console.out << std::flush;  // before the files: a full disk must not cost the tables
  if (a.out) {
    const std::filesystem::path folder(*a.out);
    write_file(folder / "summary.json", json.dump(1) + '\n');
    write_file(folder / "summary.md", tables_of(summary, to_markdown));
    write_file(folder / "report.html",
               eval_page(facts_of(model.threads(), settings), summary, files.config().n_heads));
  }
  return kSuccess;
}

}  // namespace unmask
