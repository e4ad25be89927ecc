// `unmask run`: one prompt, one answer.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "apps/commands/cli.h"
#include "apps/commands/commands.h"
#include "apps/commands/denoise.h"
#include "apps/reports/explain_view.h"
#include "apps/reports/report.h"
#include "apps/terminal/canvas.h"
#include "apps/terminal/terminal.h"
#include "io/json_file.h"

namespace unmask {

namespace {

constexpr const char* kOutputGroup = "Output";
constexpr const char* kStandardOutput = "-";

void refuse_impossible(const RunArguments& a) {
  if (a.json && a.trace == kStandardOutput) {
    fail("[run] --json and --trace - both want standard output; give the trace a file name");
  }
  if (a.view.delay > 0 && (a.json || a.trace)) {
    fail("[run] --delay would falsify the times of --json and --trace; leave it out");
  }
}

Request request_of(const RunArguments& a, const ModelFiles& files, Console& console) {
  if (a.fill) {
    return build_fill_request(a.generation, files, parse_fill_template(*a.fill, a.hole));
  }
  return build_request(a.generation, files, read_question(a.prompt, a.chat, files, console));
}

/// The whole text of a filled one, else the answer.
std::string text_of(const RunArguments& a, const ModelFiles& files, const Result& result) {
  return a.fill ? files.tokenizer().decode(result.tokens, {.skip_special = true})
                : answer_text(files.tokenizer(), result);
}

/// The filled text with the found parts highlighted.
std::string painted_fill(const ModelFiles& files, const Request& request, const Result& result) {
  std::vector<bool> found;
  for (const TokenId token : request.tokens) found.push_back(token == files.config().mask_id);
  const Range all{0, static_cast<int>(result.tokens.size())};
  return paint(to_cells(
      canvas_pieces(files.tokenizer(), result.tokens, all, files.config().mask_id, found)));
}

void print_answer(const RunArguments& a, const ModelFiles& files, const Request& request,
                  const Result& result, Console& console) {
  if (a.fill && console.out_terminal) {
    console.out << painted_fill(files, request, result) << '\n';
    return;
  }
  const std::string text = text_of(a, files, result);
  console.out << (console.out_terminal ? terminal_safe(text) : text) << '\n';
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
  std::optional<AtomicFile> file_;
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
                                     "___{6}; a blank before a hole belongs to it")
                          ->type_name("TEXT")
                          ->group("Prompt");
  for (const char* other : {"--prompt", "--file", "--raw", "--system", "--template", "--gen-length",
                            "--max-tokens", "--block-length", "--no-early-stop"}) {
    fill->excludes(other);
  }
  app.add_option("--hole", a.hole, "Tokens of a hole without a number (4)")
      ->check(CLI::Range(1, 100'000).description(""))
      ->type_name("N")
      ->needs(fill)
      ->group("Prompt");
}

int explain_request(const RunArguments& a, const ModelFiles& files, const Request& request,
                    Console& console) {
  const DeviceKind device = find_device(a.model.device).kind;
  const WeightType weights = resolve_weight_type(parse_weight_type(a.model.dtype), device,
                                                 files.checkpoint(), files.config());
  Request vanilla = request;
  vanilla.method = "full";
  const Costs costs(files.config(), element_sizes(device, weights));
  const Explanation plan = costs.explain(request);
  const Explanation full = costs.explain(vanilla);
  const CpuOptions on_cpu{.threads = a.model.threads, .weights = weights};
  const ExplainedRequest about{a.generation.preset, request, files.config(),
                               std::string(weight_type_name(weights)),
                               device == DeviceKind::cpu ? create_cpu_backend(on_cpu)->describe()
                                                         : "cuda, products: by cuBLASLt"};
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
  add_output_arguments(*command, a);
  add_explain_argument(*command, a);
  command->footer(
      std::string("Examples:\n") +
      "  unmask run -m models/LLaDA-8B-Instruct -p 'Why is the sky blue?' --live\n"
      "  unmask run -m models/Dream-7B -f question.txt -n 256 --steps 128 --temperature 0.2\n"
      "  unmask run -m models/LLaDA-8B-Base --fill 'The ___{2} of France is ___.'\n"
      "  unmask run -m models/LLaDA-8B-Instruct --preset exact --json < question.txt\n"
      "  unmask run -m models/LLaDA-8B-Instruct -f long.txt --method sparsed --explain\n\n" +
      preset_help());
  return command;
}

int run(const RunArguments& a, Console& console) {
  refuse_impossible(a);
  const ModelFiles files = ModelFiles::open(a.model.directory);
  const Request request = request_of(a, files, console);
  warn_about_lengths(a.generation, request, files.config(), console);
  if (a.explain) return explain_request(a, files, request, console);
  Trace trace(a.trace, files.tokenizer(), console);

  Model model = load_model(a.model, files, request.most_tokens(), console);
  const Range shown{a.fill ? 0 : request.prompt_length, request.most_tokens()};
  const Result result = denoise(model, request, {a.view, shown, trace.writer()}, console);
  if (a.json) {
    console.out << json_line(
        report(model, {a.generation.preset, request}, result, text_of(a, files, result)));
  }
  if (result.cancelled) return kInterrupted;
  trace.commit();
  if (!a.json && a.trace != kStandardOutput) print_answer(a, files, request, result, console);
  console.out.flush();
  print_summary(a, files, request, result, console);
  return kSuccess;
}

}  // namespace unmask
