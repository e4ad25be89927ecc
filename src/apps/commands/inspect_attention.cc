// `unmask inspect-attention`: a picture of what heads look at while a text is being denoised.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/commands/cli.h"
#include "apps/commands/commands.h"
#include "apps/commands/denoise.h"
#include "apps/draw/attention_view.h"
#include "apps/terminal/output_file.h"
#include "apps/terminal/terminal.h"
#include "eval/attention_probe.h"
#include "io/json_file.h"

namespace unmask {

namespace {

constexpr int kMostCells = 256;  // on a side of a map
constexpr int kMostBlocks = 32;  // on a side of a table of block scores, unless asked for
constexpr int kFewestInBlock = 8;
constexpr int kShown = 4;  // heads and steps, unless asked for

enum class OutputFormat : uint8_t { png, svg, html };

OutputFormat output_format(const std::string& file) {
  const std::string suffix = std::filesystem::path(file).extension().string();
  if (suffix == ".png") return OutputFormat::png;
  if (suffix == ".svg") return OutputFormat::svg;
  if (suffix == ".html") return OutputFormat::html;
  fail("[inspect-attention] {}: found the suffix '{}', expected .png, .svg or .html",
       printable(file), printable(suffix));
}

std::string render(const AttentionRecord& record, OutputFormat format) {
  switch (format) {
    case OutputFormat::png: return attention_picture(record, PictureFormat::png);
    case OutputFormat::svg: return attention_picture(record, PictureFormat::svg);
    case OutputFormat::html: break;
  }
  return attention_page(record);
}

/// The numbers given, ascending and each once, or a few spread evenly. Throws Error for one that is
/// not below `count`.
std::vector<int> choose(std::vector<int> given, int count, const char* option, const char* what) {
  if (given.empty()) {
    const int shown = std::min(kShown, count);
    for (int i = 0; i < shown; ++i) given.push_back(i * (count - 1) / std::max(1, shown - 1));
  }
  for (const int n : given) {
    if (n < 0 || n >= count) {
      fail("[inspect-attention] {}: found {}, but there are the {} 0 to {}", option, n, what,
           count - 1);
    }
  }
  std::sort(given.begin(), given.end());
  given.erase(std::unique(given.begin(), given.end()), given.end());
  return given;
}

int default_score_block(int length) {
  int size = kFewestInBlock;
  while (size * kMostBlocks < length) size *= 2;
  return size;
}

/// What is to be watched, but for the steps.
AttentionRecord empty_record(const InspectAttentionArguments& a, const ModelFiles& files,
                             const Request& request) {
  const auto length = static_cast<int>(request.tokens.size());
  const ModelConfig& config = files.config();
  AttentionRecord record{.model = files.name(),
                         .method = printable(request.method),
                         .layer = a.layer.value_or(config.n_layers / 2),
                         .length = length,
                         .prompt_length = request.prompt_length,
                         .block_length = request.block_length,
                         .cell = (length + kMostCells - 1) / kMostCells,
                         .score_block = a.score_block.value_or(default_score_block(length)),
                         .heads = choose(a.heads, config.n_heads, "--head", "heads")};
  choose({record.layer}, config.n_layers, "--layer", "layers");
  return record;
}

void watch_steps(AttentionRecord& record, const std::vector<int>& given, int total) {
  record.total_steps = total;
  for (const int step : choose(given, total, "--steps-shown", "steps")) {
    record.steps.push_back({.step = step});
  }
  check_picture_size(record);
}

void add_choices(CLI::App& app, InspectAttentionArguments& a) {
  constexpr const char* kGroup = "What is shown";
  app.add_option("--layer", a.layer, "Layer, from 0 (the middle one)")
      ->type_name("L")
      ->group(kGroup);
  app.add_option("--head", a.heads, "Heads, from 0 (four of them, spread evenly)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("H[,H...]")
      ->group(kGroup);
  app.add_option("--steps-shown", a.steps,
                 "Denoising steps, from 0 (four of them, spread evenly; with --threshold or "
                 "--factor a first run counts how many there are)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("S[,S...]")
      ->group(kGroup);
  app.add_option("--score-block", a.score_block,
                 "Positions in a block of the block scores (at least 8, and at most 32 blocks)")
      ->check(CLI::Range(1, 1 << 20).description(""))
      ->type_name("N")
      ->group(kGroup);
}

int end_early(const Request& request, const Result& result, Console& console) {
  tell(console, "{}; nothing is drawn", interruption(request, result));
  return kInterrupted;
}

}  // namespace

CLI::App* add_inspect_attention(CLI::App& app, InspectAttentionArguments& a) {
  CLI::App* command =
      app.add_subcommand("inspect-attention", "Draw what heads look at, step by step");
  add_model_arguments(*command, a.model);
  add_prompt_arguments(*command, a.prompt);
  add_chat_arguments(*command, a.chat);
  add_raw_argument(*command, a.chat.raw);
  add_generation_arguments(*command, a.generation);
  add_choices(*command, a);
  command->add_option("-o,--output", a.output, "Picture to write: .png, .svg or .html")
      ->type_name("FILE")
      ->group("Output");
  command->add_flag("--json", a.json, "Block scores, chosen blocks, cached positions and agreement")
      ->group("Output");
  command->footer(
      "Every planned step runs, as with --no-early-stop, so that each can be shown.\n"
      "\n"
      "Examples:\n"
      "  unmask inspect-attention -m models/demo -f models/demo/prompts/keys.txt -o a.png\n"
      "  unmask inspect-attention -m models/LLaDA-8B-Instruct -f question.txt \\\n"
      "    --method sparsed:block=32 --layer 12 --head 0,8,31 --steps-shown 0,16,64 -o a.html\n"
      "  unmask inspect-attention -m models/demo -p Hello --method sparse-dllm --json");
  return command;
}

int inspect_attention(const InspectAttentionArguments& a, Console& console) {
  if (!a.output && !a.json) {
    fail("[inspect-attention] nothing to write; give a picture with -o, or --json");
  }
  const OutputFormat format = a.output ? output_format(*a.output) : OutputFormat::png;
  const ModelFiles files = ModelFiles::open(a.model.directory, a.model.overrides);
  if (a.generation.max_tokens) {
    fail("[inspect-attention] a picture shows a canvas of one length; use -n, not --max-tokens");
  }
  std::vector<std::string> adjusted;
  Request request = build_request(a.generation, files,
                                  read_question(a.prompt, a.chat, files, console), &adjusted);
  request.early_stop = false;
  announce_seed(a.generation.seed, a.generation.seed_drawn, console);
  warn_of(adjusted, console);
  warn_of(length_warnings(request, files.config()), console);
  AttentionRecord record = empty_record(a, files, request);
  // How many steps a dynamic sampler takes shows only when it is done.
  const bool count_first = a.steps.empty() && request.sampler.dynamic();
  if (!count_first) watch_steps(record, a.steps, request.steps);

  std::optional<OutputFile> file;  // before the work, which may take hours
  if (a.output) file.emplace(*a.output);
  const InterruptWatch interrupt_watch;
  Model model = load_model(a.model, files, {&request, 1}, console);
  const Watch watch{{}, request.generated()};
  if (count_first) {
    const Result counted = denoise(a.model, model, request, watch, console);
    if (counted.cancelled) return end_early(request, counted, console);
    watch_steps(record, {}, counted.steps);
  }
  request.observe = [&record](std::unique_ptr<Method> method) {
    return std::make_unique<AttentionProbe>(std::move(method), record);
  };
  const Result result = denoise(a.model, model, request, watch, console);
  if (result.cancelled) return end_early(request, result, console);
  if (a.json) console.out << json_line(to_json(record)) << std::flush;
  if (file) {
    file->stream() << render(record, format);
    file->commit();
  }
  return kSuccess;
}

}  // namespace unmask
