// `unmask batch`: many prompts, several at a time.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "apps/commands/cli.h"
#include "apps/commands/commands.h"
#include "apps/commands/denoise.h"
#include "apps/reports/report.h"
#include "apps/terminal/progress.h"
#include "apps/terminal/terminal.h"
#include "apps/terminal/units.h"
#include "io/json_file.h"

namespace unmask {

namespace {

constexpr size_t kMaxFileBytes = size_t{1} << 30;

/// One line of the input: a prompt or a conversation, and everything to be handed back with its
/// answer.
struct Entry {
  std::string prompt;
  std::vector<ChatMessage> messages;
  std::string record;  // the line itself
};

bool has_string(const nlohmann::json& object, const char* key) {
  return object.is_object() && object.contains(key) && object[key].is_string();
}

/// Throws Error unless the line has a prompt or messages.
Entry parse_entry(std::string_view line, const std::string& where) {
  const nlohmann::json value = parse_json(line, where);
  Entry entry;
  if (has_string(value, "prompt")) {
    entry.prompt = value["prompt"].get<std::string>();
  } else if (value.is_object() && value.contains("messages") && value["messages"].is_array()) {
    for (const nlohmann::json& m : value["messages"]) {
      if (!has_string(m, "role") || !has_string(m, "content")) {
        fail("{}: each message needs a \"role\" and a \"content\", both strings", where);
      }
      entry.messages.push_back({m["role"].get<std::string>(), m["content"].get<std::string>()});
    }
  } else {
    fail("{}: expected an object with a string \"prompt\" or an array \"messages\"", where);
  }
  if (entry.prompt.empty() && entry.messages.empty()) fail("{}: the prompt is empty", where);
  entry.record = line;
  return entry;
}

std::vector<Entry> read_entries(const std::string& file) {
  const std::string text = read_text_file(file, kMaxFileBytes);
  std::vector<Entry> entries;
  int line_number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line(text.data() + begin, end - begin);
    begin = end + 1;
    ++line_number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = fmt::format("[batch] {}:{}", file, line_number);
    entries.push_back(parse_entry(line, where));
  }
  if (entries.empty()) fail("[batch] {}: no prompts in it", file);
  return entries;
}

std::string text_of(const BatchArguments& a, const Entry& entry) {
  if (entry.messages.empty()) {
    return a.raw ? entry.prompt : render_question(a.chat, a.model.directory, entry.prompt);
  }
  if (a.raw) fail("[batch] --raw completes prompts, but there are messages");
  std::vector<ChatMessage> messages = entry.messages;
  if (a.chat.system) messages.insert(messages.begin(), {"system", *a.chat.system});
  return render_chat(choose_chat_format(a.chat, a.model.directory), messages);
}

std::vector<Request> requests_of(const BatchArguments& a, const ModelFiles& files,
                                 const std::vector<Entry>& entries) {
  std::vector<Request> requests;
  requests.reserve(entries.size());
  for (const Entry& entry : entries) {
    const std::vector<TokenId> prompt = files.tokenizer.encode(text_of(a, entry));
    requests.push_back(make_request(a.generation, files, prompt));
  }
  return requests;
}

/// Tokens of the largest group of requests that run side by side.
int largest_canvas(std::span<const Request> requests, size_t batch_size) {
  size_t largest = 0;
  for (size_t begin = 0; begin < requests.size(); begin += batch_size) {
    size_t tokens = 0;
    for (const Request& r :
         requests.subspan(begin, std::min(batch_size, requests.size() - begin))) {
      tokens += r.tokens.size();
    }
    largest = std::max(largest, tokens);
  }
  return static_cast<int>(largest);
}

void print_answers(const BatchArguments& a, const LoadedModel& model, const ModelFiles& files,
                   std::span<const Entry> entries, std::span<const Request> requests,
                   std::span<const Result> results, Console& console) {
  for (size_t i = 0; i < results.size(); ++i) {
    const Result& r = results[i];
    const auto answer = std::span(r.tokens).subspan(static_cast<size_t>(r.answer.begin),
                                                    static_cast<size_t>(r.answer.size()));
    auto line = nlohmann::ordered_json::parse(entries[i].record);
    line.update(report(a.model, model, requests[i], r,
                       files.tokenizer.decode(answer, {.skip_special = true})));
    console.out << json_line(line);
  }
  console.out.flush();
}

}  // namespace

CLI::App* add_batch(CLI::App& app, BatchArguments& a) {
  CLI::App* command = app.add_subcommand("batch", "Answer many prompts, several at a time");
  add_model_arguments(*command, a.model);
  command
      ->add_option(
          "-f,--file", a.file,
          "JSON lines, each an object with a \"prompt\" or with \"messages\" of \"role\" and "
          "\"content\"; all its members come back with the answer")
      ->required()
      ->type_name("FILE")
      ->group("Prompt");
  add_chat_arguments(*command, a.chat);
  command->add_flag("--raw", a.raw, "Complete the prompts as they are, without a chat template")
      ->group("Prompt")
      ->excludes("--system")
      ->excludes("--template");
  command->add_option("--batch-size", a.batch_size, "Prompts denoised side by side (8)")
      ->check(CLI::Range(1, 4096).description(""))
      ->type_name("N")
      ->group("Generation");
  add_generation_arguments(*command, a.generation);
  command->footer(
      "Prints one JSON object a prompt, in the order of the file, as soon as its group is done.\n"
      "An answer does not depend on the prompts beside it.\n\n"
      "Examples:\n"
      "  unmask batch -m models/LLaDA-8B-Instruct -f prompts.jsonl > answers.jsonl\n"
      "  unmask batch -m models/LLaDA-8B-Instruct -f prompts.jsonl --batch-size 4 "
      "--method sparse-dllm");
  return command;
}

int batch(const BatchArguments& a, Console& console) {
  const ModelFiles files = open_model_files(a.model.directory);
  const std::vector<Entry> entries = read_entries(a.file);
  const std::vector<Request> requests = requests_of(a, files, entries);
  for (const Request& request : requests) warn_about_length(request, files.config, console);
  const auto group = static_cast<size_t>(a.batch_size);
  LoadedModel model = load_model(a.model, largest_canvas(requests, group), console);
  ProgressLine line(console.err, console.err_terminal);
  for (size_t begin = 0; begin < requests.size(); begin += group) {
    const size_t count = std::min(group, requests.size() - begin);
    const auto part = std::span(requests).subspan(begin, count);
    const auto on_step = [&](const StepEvent& event) {
      const double done = static_cast<double>(begin) +
                          static_cast<double>(count) * (event.step + 1) / event.total_steps;
      const double share = done / static_cast<double>(requests.size());
      line.show(fmt::format("{} of {} prompts, {} left", begin, requests.size(),
                            format_duration(line.seconds() / share * (1 - share))));
      return !interrupted();
    };
    const std::vector<Result> results = generate(model.transformer(), part, on_step);
    if (interrupted()) return kInterrupted;
    line.clear();
    print_answers(a, model, files, std::span(entries).subspan(begin, count), part, results,
                  console);
  }
  return kSuccess;
}

}  // namespace unmask
