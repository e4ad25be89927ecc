// `unmask run`: one prompt, one answer.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/commands/cli.h"
#include "apps/commands/commands.h"
#include "apps/commands/denoise.h"
#include "apps/reports/explain_view.h"
#include "apps/reports/report.h"
#include "apps/terminal/canvas.h"
#include "apps/terminal/output_file.h"
#include "apps/terminal/terminal.h"
#include "bench/ceilings.h"
#include "bench/generation.h"
#include "io/json_file.h"
#include "session/constraints.h"

namespace unmask {

namespace {

constexpr const char* kOutputGroup = "Output";
constexpr const char* kStandardOutput = "-";
constexpr size_t kMostSchemaFile = size_t{64} << 10;  // bytes

void refuse_impossible(const RunArguments& a) {
  if (a.json && a.trace == kStandardOutput) {
    fail("[run] --json and --trace - both want standard output; give the trace a file name");
  }
  if (a.view.delay > 0 && (a.json || a.trace)) {
    fail("[run] --delay would falsify the times of --json and --trace; leave it out");
  }
}

/// A request, and where the text begins that is shown of it.
struct Asked {
  Request request;
  int shown_from = 0;
  bool filled = false;
};

/// Makes the answer what --json-schema or --json-object ask for, and tells the model.
void demand_form(const RunArguments& a, const ModelFiles& files, RequestOptions& generation,
                 PromptOptions& chat, Console& console) {
  if (!a.json_schema && !a.json_object) return;
  Constraints constraints(files);
  AnswerForm form;
  if (a.json_object) {
    form = json_object_form(constraints);
  } else {
    const std::string text = read_whole("run", *a.json_schema, kMostSchemaFile, console);
    form =
        schema_form(parse_ordered_json(text, fmt::format("[run] {}", *a.json_schema)), constraints);
  }
  generation.constraint = form.constraint;
  if (!chat.raw) chat.system = with_line(chat.system.value_or(""), form.instruction);
}

Asked request_of(const RunArguments& a, const ModelFiles& files, Console& console) {
  std::vector<std::string> adjusted;
  if (!a.fill) {
    RequestOptions generation = a.generation;
    PromptOptions chat = a.chat;
    demand_form(a, files, generation, chat, console);
    Request request =
        build_request(generation, files, read_question(a.prompt, chat, files, console), &adjusted);
    warn_of(adjusted, console);
    const int begin = request.prompt_length;
    return {std::move(request), begin};
  }
  std::vector<TokenId> prompt;
  if (a.prompt.text || a.prompt.file) {
    prompt = read_question(a.prompt, a.chat, files, console);
  } else if (a.chat.system || a.chat.format) {
    fail("[run] --fill with --system or --template needs a question, -p or -f, that it answers");
  }
  const auto begin = static_cast<int>(prompt.size());
  Request request = build_fill_request(a.generation, files, parse_fill_template(*a.fill, a.hole),
                                       std::move(prompt), &adjusted);
  warn_of(adjusted, console);
  return {std::move(request), begin, true};
}

/// The whole text of a filled one, else the answer; what there is of it by now.
std::string text_of(const Asked& asked, const ModelFiles& files, const Result& result) {
  const int end = asked.filled ? static_cast<int>(result.tokens.size()) : result.answer.end;
  const Range range{asked.shown_from, end};
  const auto tokens =
      std::span(result.tokens)
          .subspan(static_cast<size_t>(range.begin), static_cast<size_t>(range.size()));
  return known_text(files.tokenizer(), tokens, files.config().mask_id);
}

/// The filled text with the found parts highlighted.
std::string painted_fill(const ModelFiles& files, const Asked& asked, const Result& result) {
  const TokenId mask = files.config().mask_id;
  std::vector<bool> found;
  for (const TokenId token : asked.request.tokens) found.push_back(token == mask);
  if (asked.request.growth) {  // what stands behind the last hole has moved
    const auto behind = std::find(found.rbegin(), found.rend(), true) - found.rbegin();
    found.assign(result.tokens.size(), true);
    std::fill_n(found.begin(), asked.request.prompt_length, false);
    std::fill_n(found.rbegin(), behind, false);
  }
  const Range shown{asked.shown_from, static_cast<int>(result.tokens.size())};
  return paint(to_cells(canvas_pieces(files.tokenizer(), result.tokens, shown, mask, found)));
}

void print_answer(const ModelFiles& files, const Asked& asked, const Result& result,
                  Console& console) {
  if (asked.filled && console.out_terminal) {
    console.out << painted_fill(files, asked, result) << '\n';
    return;
  }
  print_text(console, text_of(asked, files, result) + '\n');
}

/// After Ctrl-C: the text so far, and a word on it.
int end_early(const RunArguments& a, const ModelFiles& files, const Asked& asked,
              const Result& result, Console& console) {
  const std::string text = text_of(asked, files, result);
  const bool shown = !a.json && a.trace != kStandardOutput && result.steps > 0 && !text.empty();
  if (shown) {
    print_text(console, text + '\n');
    console.out << std::flush;
  }
  tell(console, "{}{}", interruption(asked.request, result), shown ? "; text so far above" : "");
  return kInterrupted;
}

/// What the live view showed last, in one line. A delay makes its times worthless.
void print_summary(const RunArguments& a, const ModelFiles& files, const Request& request,
                   const Result& result, Console& console) {
  if (!a.view.live || a.view.delay > 0 || !console.err_terminal) return;
  const int tokens = answer_tokens(request, result, files.config().mask_id);
  console.err << fmt::format("\x1b[2m{} tokens in {} steps, {:.2f} s, {:.1f} tok/s\x1b[0m\n",
                             tokens, result.steps, result.seconds, tokens / result.seconds);
}

/// The trace of --trace: to a file, to standard output, or none.
class Trace {
 public:
  Trace(const std::optional<std::string>& target, const Tokenizer& tokenizer, Console& console) {
    if (!target) return;
    if (target != kStandardOutput) file_.emplace(*target);
    writer_.emplace(file_ ? file_->stream() : console.out, trace_format(*target), tokenizer);
  }
  TraceWriter* writer() { return writer_ ? &*writer_ : nullptr; }
  void commit() {
    if (file_) file_->commit();
  }

 private:
  std::optional<OutputFile> file_;
  std::optional<TraceWriter> writer_;
};

void add_output_arguments(CLI::App& app, RunArguments& a) {
  CLI::Option* live =
      app.add_flag("--live", a.view.live, "Watch the text appear (where there is a terminal)")
          ->group(kOutputGroup);
  app.add_option("--delay", a.view.delay, "Pause after each step of --live, to watch small models")
      ->check(CLI::Range(0, 60'000).description(""))
      ->type_name("MS")
      ->needs(live)
      ->group(kOutputGroup);
  app.add_flag("--json", a.json, "One JSON object with text, times and counts")
      ->group(kOutputGroup);
  app.add_option("--trace", a.trace,
                 "Write each decision to FILE (.csv, else JSON lines), or to standard output "
                 "instead of the answer (-)")
      ->type_name("FILE")
      ->group(kOutputGroup);
}

void add_explain_argument(CLI::App& app, RunArguments& a) {
  CLI::Option* explain =
      app.add_flag("--explain", a.explain,
                   "Compute nothing; show the plan: rows, keys, operations and bytes of every step")
          ->group(kOutputGroup);
  for (const char* other : {"--live", "--trace"}) explain->excludes(other);
}

void add_fill_arguments(CLI::App& app, RunArguments& a) {
  CLI::Option* fill = app.add_option("--fill", a.fill,
                                     "Fill the holes of a text: ___ or, with a number of tokens, "
                                     "___{6}; a blank before a hole belongs to it. With -p "
                                     "or -f the text is the answer to that")
                          ->type_name("TEXT")
                          ->group("Prompt");
  for (const char* other : {"--gen-length", "--max-tokens", "--block-length", "--no-early-stop"}) {
    fill->excludes(other);
  }
  app.add_option("--hole", a.hole, "Tokens of a hole without a number (4)")
      ->check(CLI::Range(1, 100'000).description(""))
      ->type_name("N")
      ->needs(fill)
      ->group("Prompt");
  app.add_option("--grow", a.generation.grow,
                 "Let holes find their length: tokens that they may get beyond their masks "
                 "(DreamOn)")
      ->check(CLI::Range(0, 100'000).description(""))
      ->type_name("N")
      ->needs(fill)
      ->group("Prompt");
}

void add_form_arguments(CLI::App& app, RunArguments& a) {
  constexpr const char* kGroup = "Generation";
  CLI::Option* schema =
      app.add_option(
             "--json-schema", a.json_schema,
             "The answer is JSON that satisfies the JSON schema in FILE, of which the model "
             "is told in the system text; the canvas has all tokens from the beginning")
          ->type_name("FILE")
          ->group(kGroup);
  CLI::Option* object = app.add_flag("--json-object", a.json_object, "The answer is a JSON object")
                            ->group(kGroup)
                            ->excludes(schema);
  for (const char* other :
       {"--fill", "--top-p", "--top-k", "--suppress-eos", "--defer-eos", "--no-early-stop"}) {
    schema->excludes(other);
    object->excludes(other);
  }
}

/// Of `plan`; none without drafts, on a device, or where the processor has no rate to compare with.
std::optional<DraftCost> draft_cost(const Costs& costs, const Request& request,
                                    const Explanation& plan, DeviceKind device, WeightType weights,
                                    int threads) {
  if (!request.sampler.drafts || device != DeviceKind::cpu || !has_ceilings()) return std::nullopt;
  Request without = request;
  without.sampler.drafts.reset();
  const Rates rates = rates_at(measure_ceilings(threads), weights);
  const double plain = roofline_seconds(costs.explain(without).total, rates);
  const double bytes = element_sizes(device, weights).bytes_per_weight;
  return DraftCost{.times = roofline_seconds(plan.total, rates) / plain,
                   .ridge = rates.products * bytes / 2 / rates.read};
}

int explain_request(const RunArguments& a, const ModelFiles& files, const Request& request,
                    Console& console) {
  const DeviceKind device = find_device(a.model.device).kind;
  const WeightType weights = resolve_weight_type(parse_weight_type(a.model.dtype), device,
                                                 files.checkpoint(), files.config());
  Request vanilla = request;
  vanilla.method = "full";
  vanilla.sampler.drafts.reset();
  const Costs costs(files.config(),
                    element_sizes(device, weights, files.checkpoint(), files.config()));
  const Explanation plan = costs.explain(request);
  const Explanation full = costs.explain(vanilla);
  const CpuOptions on_cpu{.threads = threads_for(a.model.threads, console), .weights = weights};
  const ExplainedRequest about{
      a.generation.preset,
      request,
      files.config(),
      std::string(weight_type_name(weights)),
      device == DeviceKind::cpu ? create_cpu_backend(on_cpu)->describe()
                                : "cuda, products: by cuBLASLt",
      static_cast<int64_t>(costs.on_ranks(2).explain(request).total.result_bytes / 2),
      costs.explain_rows(request, 2).received.bytes,
      draft_cost(costs, request, plan, device, weights, on_cpu.threads)};
  console.out << (a.json ? json_line(explain_json(about, plan, full))
                         : explain_text(about, plan, full));
  return kSuccess;
}

}  // namespace

CLI::App* add_run(CLI::App& app, RunArguments& a) {
  CLI::App* command = app.add_subcommand("run", "Answer a prompt, complete or fill in a text");
  add_model_arguments(*command, a.model);
  add_prompt_arguments(*command, a.prompt);
  add_chat_arguments(*command, a.chat);
  add_raw_argument(*command, a.chat.raw);
  add_generation_arguments(*command, a.generation);
  add_fill_arguments(*command, a);
  add_form_arguments(*command, a);
  add_output_arguments(*command, a);
  add_explain_argument(*command, a);
  command->footer(
      std::string("Examples:\n") +
      "  unmask run -m models/LLaDA-8B-Instruct -p 'Why is the sky blue?' --live\n"
      "  unmask run -m models/Dream-7B -f question.txt -n 256 --steps 128 --temperature 0.2\n"
      "  unmask run -m models/LLaDA-8B-Base --fill 'The ___{2} of France is ___.'\n"
      "  unmask run -m models/LLaDA-8B-Instruct -p 'Is it so?' --fill 'No, because ___{12}.'\n"
      "  unmask run -m models/LLaDA-8B-Instruct -f letter.txt --json-schema letter.schema.json\n"
      "  unmask run -m models/LLaDA-8B-Instruct --preset exact --json < question.txt\n"
      "  unmask run -m models/LLaDA-8B-Instruct -f long.txt --method sparsed --explain\n\n" +
      preset_help());
  return command;
}

int run(const RunArguments& a, Console& console) {
  refuse_impossible(a);
  const ModelFiles files = ModelFiles::open(a.model.directory, a.model.overrides);
  const Asked asked = request_of(a, files, console);
  const Request& request = asked.request;
  warn_of(length_warnings(request, files.config()), console);
  announce_seed(a.generation.seed, a.generation.seed_drawn, console);
  if (a.explain) return explain_request(a, files, request, console);
  show_note(files, console);
  const InterruptWatch watch;
  Trace trace(a.trace, files.tokenizer(), console);

  Model model = load_model(a.model, files, {&request, 1}, console);
  const Range shown{asked.shown_from, request.most_tokens()};
  const Result result = denoise(a.model, model, request, {a.view, shown, trace.writer()}, console);
  const std::string text = text_of(asked, files, result);
  if (a.json) {
    console.out << json_line(report(model, {a.generation.preset, request}, result, text));
  }
  if (result.cancelled) return end_early(a, files, asked, result, console);
  if (!a.json && a.trace != kStandardOutput) print_answer(files, asked, result, console);
  console.out.flush();
  explain_blank(text, result, console);
  print_summary(a, files, request, result, console);
  trace.commit();  // last: a full disk must not cost the answer
  return kSuccess;
}

}  // namespace unmask
