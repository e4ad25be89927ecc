// `unmask batch`: many prompts, several at a time.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "apps/commands/cli.h"
#include "apps/commands/commands.h"
#include "apps/commands/denoise.h"
#include "apps/reports/report.h"
#include "apps/terminal/progress.h"
#include "apps/terminal/terminal.h"
#include "apps/terminal/units.h"
#include "core/platform/memory.h"
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
  std::string where;   // it stands, for messages
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
  entry.where = where;
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

/// Does something for an entry; an Error then says whose it is.
template <typename Work>
auto at_line(const Entry& entry, const Work& work) {
  try {
    return work();
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", entry.where, error.what()), error.code());
  }
}

Request request_of(const BatchArguments& a, const ModelFiles& files, const Entry& entry) {
  if (a.chat.raw && !entry.messages.empty()) {
    fail("{}: --raw completes prompts, but there are messages", entry.where);
  }
  std::vector<ChatMessage> messages = entry.messages;
  if (messages.empty()) messages.push_back({"user", entry.prompt});
  return at_line(entry, [&] {
    return build_request(a.generation, files, encode_messages(files, a.chat, std::move(messages)));
  });
}

/// Tokens of all canvases that run side by side at most.
int tokens_side_by_side(std::span<const Request> requests, size_t batch_size) {
  std::vector<int> sizes;
  for (const Request& r : requests) sizes.push_back(r.most_tokens());
  std::sort(sizes.rbegin(), sizes.rend());
  sizes.resize(std::min(sizes.size(), batch_size));
  return std::accumulate(sizes.begin(), sizes.end(), 0);
}

/// Answers the prompts of a file and prints them in its order.
class Batch {
 public:
  Batch(const BatchArguments& a, Model& model, const std::vector<Entry>& entries,
        const std::vector<Request>& requests, Console& console)
      : model_(model),
        entries_(entries),
        requests_(requests),
        preset_(a.generation.preset),
        console_(console),
        line_(console.err, console.err_terminal),
        engine_(model.transformer(), options(a, model)),
        shares_(requests.size()) {}

  /// The program's exit status. Answers that failed leave an "error" in their place.
  int run() {
    for (size_t i = 0; i < requests_.size(); ++i) {
      at_line(entries_[i], [&] {
        engine_.submit(requests_[i], [this](const StepEvent& event) { return advance(event); });
      });
    }
    while (engine_.step() && !interrupted()) print_ended();
    print_ended();
    if (interrupted()) return kInterrupted;
    return failed_ ? kFailure : kSuccess;
  }

 private:
  static EngineOptions options(const BatchArguments& a, const Model& model) {
    EngineOptions options{.max_running = a.batch_size};
    const auto available = available_memory();
    if (model.device() != DeviceKind::cpu || !available) return options;
    options.memory_limit = *available;
    options.planned_bytes = [costs = model.costs()](const Request& r) {
      return costs.request_bytes(r);
    };
    return options;
  }
  bool advance(const StepEvent& event);
  /// Prints what has ended, up to the first that has not.
  void print_ended();

  Model& model_;
  const std::vector<Entry>& entries_;
  const std::vector<Request>& requests_;
  Preset preset_;
  Console& console_;
  ProgressLine line_;
  Engine engine_;
  std::vector<double> shares_;  // of each request that are done
  size_t printed_ = 0;          // requests; their ids count from 0
  bool failed_ = false;
};

bool Batch::advance(const StepEvent& event) {
  shares_[static_cast<size_t>(event.request)] =
      event.masks_left == 0 ? 1 : (event.step + 1.0) / event.total_steps;
  const double share =
      std::accumulate(shares_.begin(), shares_.end(), 0.0) / static_cast<double>(shares_.size());
  line_.show(fmt::format("{} of {} prompts, {} left", printed_, requests_.size(),
                         format_duration(line_.seconds() / share * (1 - share))));
  return !interrupted();
}

void Batch::print_ended() {
  for (; printed_ < requests_.size(); ++printed_) {
    const auto id = static_cast<RequestId>(printed_);
    if (!engine_.ended(id)) return;
    auto record = nlohmann::ordered_json::parse(entries_[printed_].record);
    try {
      const Result result = engine_.take(id);
      if (result.cancelled) return;
      record.update(report(model_, {preset_, requests_[printed_]}, result,
                           answer_text(model_.tokenizer(), result)));
    } catch (const Error& error) {
      record["error"] = error.what();
      failed_ = true;
    }
    line_.clear();
    console_.out << json_line(record) << std::flush;
  }
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
  command
      ->add_flag("--raw", a.chat.raw, "Complete the prompts as they are, without a chat template")
      ->group("Prompt")
      ->excludes("--system")
      ->excludes("--template");
  command->add_option("--batch-size", a.batch_size, "Prompts denoised side by side at most (8)")
      ->check(CLI::Range(1, 4096).description(""))
      ->type_name("N")
      ->group("Generation");
  add_generation_arguments(*command, a.generation);
  command->footer(
      "Prints one JSON object a prompt, in the order of the file, as soon as it and those before\n"
      "it are done; one that failed has an \"error\" instead of a text. An answer does not depend\n"
      "on the prompts beside it. A prompt waits while there is no memory for it beside the "
      "others.\n\n"
      "Examples:\n"
      "  unmask batch -m models/LLaDA-8B-Instruct -f prompts.jsonl > answers.jsonl\n"
      "  unmask batch -m models/LLaDA-8B-Instruct -f prompts.jsonl --batch-size 4 "
      "--method sparse-dllm");
  return command;
}

int batch(const BatchArguments& a, Console& console) {
  const ModelFiles files = ModelFiles::open(a.model.directory);
  const std::vector<Entry> entries = read_entries(a.file);
  std::vector<Request> requests;
  std::set<std::string> said;  // lines that are adjusted alike are spoken of once
  for (const Entry& entry : entries) {
    requests.push_back(request_of(a, files, entry));
    for (const std::string& line : length_warnings(a.generation, requests.back(), files.config())) {
      if (said.insert(line).second) warn(console, "{}", line);
    }
  }
  const int canvas = tokens_side_by_side(requests, static_cast<size_t>(a.batch_size));
  Model model = load_model(a.model, files, canvas, console);
  return Batch(a, model, entries, requests, console).run();
}

}  // namespace unmask
