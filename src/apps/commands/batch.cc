// `unmask batch`: many prompts, several at a time.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "apps/commands/batch_answers.h"
#include "apps/commands/batch_input.h"
#include "apps/commands/cli.h"
#include "apps/commands/commands.h"
#include "apps/commands/denoise.h"
#include "apps/options/hints.h"
#include "apps/reports/report.h"
#include "apps/terminal/progress.h"
#include "apps/terminal/terminal.h"
#include "apps/terminal/units.h"
#include "eval/identity.h"
#include "io/fnv1a.h"
#include "session/constraints.h"
#include "session/request_identity.h"

namespace unmask {

namespace {

/// Does something for an entry; an Error then says whose it is.
template <typename Work>
auto at_line(const BatchEntry& entry, const Work& work) {
  try {
    return work();
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", entry.where, error.what()), error.code());
  }
}

/// Makes the answer what a line asks for, and tells the model.
void demand_form(const BatchEntry& entry, Constraints& constraints, RequestOptions& generation,
                 PromptOptions& chat, std::vector<ChatMessage>& messages) {
  if (!entry.json_schema && !entry.json_object) return;
  const AnswerForm form = entry.json_schema ? schema_form(*entry.json_schema, constraints)
                                            : json_object_form(constraints);
  generation.constraint = form.constraint;
  if (chat.raw) return;
  if (chat.system) {
    chat.system = with_line(*chat.system, form.instruction);
  } else {
    add_to_system(messages, form.instruction);
  }
}

Request request_of(const BatchArguments& a, const ModelFiles& files, const BatchEntry& entry,
                   Constraints& constraints, std::vector<std::string>& adjusted) {
  if (a.chat.raw && !entry.messages.empty()) {
    fail("{}: --raw completes prompts, but there are messages", entry.where);
  }
  std::vector<ChatMessage> messages = entry.messages;
  if (messages.empty()) messages.push_back({"user", entry.prompt});
  return at_line(entry, [&] {
    RequestOptions generation = a.generation;
    PromptOptions chat = a.chat;
    demand_form(entry, constraints, generation, chat, messages);
    return build_request(generation, files, encode_messages(files, chat, std::move(messages)),
                         &adjusted);
  });
}

/// What is to be answered, and for which line.
struct BatchJob {
  BatchEntry entry;
  Request request;
  BatchItem item;
};

/// All that answers depend on beside the requests.
uint64_t settings_fingerprint(const BatchArguments& a, const ModelFiles& files) {
  const DeviceKind device = find_device(a.model.device).kind;
  const WeightType weights = resolve_weight_type(parse_weight_type(a.model.dtype), device,
                                                 files.checkpoint(), files.config());
  return fnv1a(fmt::format("{} {:016x} {} {} {} {}", UNMASK_VERSION,
                           files.checkpoint().fingerprint(), description_fingerprint(files),
                           device_kind_name(device), weight_type_name(weights),
                           fmt::join(a.model.adapters, " ")));
}

/// A seed that was drawn differs in every run, as its answers may.
BatchItem item_of(const BatchLine& line, Request request, const BatchArguments& a,
                  uint64_t settings) {
  if (a.generation.seed_drawn) request.sampler.seed = 0;
  const std::string text =
      fmt::format("{:016x} {:016x} {}", settings, request_fingerprint(request), line.text);
  return {line.number, fnv1a(text)};
}

/// The one that needs most memory: they all have one method.
const Request& longest(std::span<const BatchJob> jobs) {
  return std::max_element(jobs.begin(), jobs.end(),
                          [](const BatchJob& a, const BatchJob& b) {
                            return a.request.most_tokens() < b.request.most_tokens();
                          })
      ->request;
}

/// Leaves out what cannot be answered, or ends the command there: as --on-error says.
class Sieve {
 public:
  Sieve(bool skips, Console& console) : skips_(skips), console_(console) {}

  /// Skips what `work` throws an Error for.
  template <typename Work>
  void let_through(const Work& work) {
    try {
      work();
    } catch (const Error& error) {
      if (!skips_) throw;
      tell(console_, "skipped: {}", as_typed(error));
      ++skipped_;
    }
  }
  int skipped() const { return skipped_; }

 private:
  bool skips_;
  Console& console_;
  int skipped_ = 0;
};

/// Answers the prompts of a file and prints them, or adds them to `answers`, in its order.
class Batch {
 public:
  Batch(const BatchArguments& a, Model& model, const std::vector<BatchJob>& jobs,
        BatchAnswers* answers, Console& console)
      : model_(model),
        jobs_(jobs),
        answers_(answers),
        preset_(a.generation.preset),
        console_(console),
        line_(console.err, console.err_terminal, kLogInterval),
        engine_(model.transformer(), options(a, model)) {}

  /// Answers what `sieve` lets through. Answers that failed leave an "error" in their place, or
  /// none in a file that the next run goes on with.
  void run(Sieve& sieve);
  /// Of those that were let through.
  int failed() const { return failed_; }
  int answered() const { return answered_; }

 private:
  struct Submitted {
    RequestId id;
    const BatchJob* job;
    double share = 0;  // of it that is done
  };

  static EngineOptions options(const BatchArguments& a, Model& model) {
    EngineOptions options = engine_options(a.model, model);
    options.max_running = a.batch_size;
    return options;
  }
  bool advance(const StepEvent& event);
  /// Prints what has ended, up to the first that has not.
  void print_in_order();
  void print(Submitted& submitted);
  void put(const BatchJob& job, nlohmann::ordered_json answer);

  Model& model_;
  const std::vector<BatchJob>& jobs_;
  BatchAnswers* answers_;  // null: to be printed
  Preset preset_;
  Console& console_;
  ProgressLine line_;
  Engine engine_;
  std::vector<Submitted> submitted_;  // their ids count from 0
  size_t next_ = 0;                   // to be printed
  int failed_ = 0;
  int answered_ = 0;
};

void Batch::run(Sieve& sieve) {
  for (const BatchJob& job : jobs_) {
    sieve.let_through([&] {
      at_line(job.entry, [&] {
        const RequestId id =
            engine_.submit(job.request, [this](const StepEvent& event) { return advance(event); });
        submitted_.push_back({id, &job});
      });
    });
  }
  while (engine_.step() && !interrupted()) print_in_order();
  print_in_order();
  if (!interrupted()) return;
  for (Submitted& s : submitted_) {  // nobody waits for those before them any more
    if (engine_.ended(s.id)) print(s);
  }
}

bool Batch::advance(const StepEvent& event) {
  submitted_[static_cast<size_t>(event.request)].share =
      event.masks_left == 0 ? 1 : (event.step + 1.0) / event.total_steps;
  double share = 0;
  for (const Submitted& s : submitted_) share += s.share / static_cast<double>(submitted_.size());
  line_.show(fmt::format("{} of {} prompts, {} left", answered_, submitted_.size(),
                         format_duration(line_.seconds() / share * (1 - share))));
  return !interrupted();
}

void Batch::print_in_order() {
  for (; next_ < submitted_.size() && engine_.ended(submitted_[next_].id); ++next_) {
    print(submitted_[next_]);
  }
}

void Batch::print(Submitted& submitted) {
  const BatchJob& job = *submitted.job;
  nlohmann::ordered_json answer;
  try {
    const Result result = engine_.take(submitted.id);
    if (result.cancelled) return;
    answer =
        report(model_, {preset_, job.request}, result, answer_text(model_.tokenizer(), result));
  } catch (const Error& error) {
    answer = {{"error", as_typed(error)}};
    ++failed_;
  }
  ++answered_;
  line_.clear();
  put(job, std::move(answer));
}

void Batch::put(const BatchJob& job, nlohmann::ordered_json answer) {
  if (answers_ == nullptr) {
    print_text(console_, answered_line(job.entry.record, answer));
    console_.out << std::flush;
  } else if (answer.contains("error")) {
    tell(console_, "error: {}: {}", job.entry.where, answer["error"].get<std::string>());
  } else {
    BatchAnswers::put(job.item, answer);
    answers_->add(answered_line(job.entry.record, answer));
  }
}

std::vector<BatchLine> share_of(std::vector<BatchLine> lines, const Shard& shard) {
  int line = 0;
  std::erase_if(lines, [&](const BatchLine&) { return !shard.has(line++); });
  return lines;
}

/// How many lines there are, and what became of them.
struct BatchCount {
  size_t lines = 0;
  int known = 0;  // answered by an earlier run
  int answered = 0;
  int failed = 0;  // of those answered
};

/// A word on what was left out, and the program's exit status.
int conclude(const BatchCount& count, const Sieve& sieve, Console& console) {
  if (interrupted()) {
    console.err << fmt::format("unmask: interrupted; {} of {} prompts answered\n",
                               count.known + count.answered - count.failed, count.lines);
    return kInterrupted;
  }
  if (sieve.skipped() > 0) {
    console.err << fmt::format("unmask: {} of {} lines skipped\n", sieve.skipped(), count.lines);
  }
  return count.failed > 0 || sieve.skipped() > 0 ? kFailure : kSuccess;
}

}  // namespace

CLI::App* add_batch(CLI::App& app, BatchArguments& a) {
  CLI::App* command = app.add_subcommand("batch", "Answer many prompts, several at a time");
  add_model_arguments(*command, a.model);
  add_prefix_cache(*command, a.model);
  command
      ->add_option("-f,--file", a.file,
                   "JSON lines (-: standard input), each an object with a \"prompt\" or with "
                   "\"messages\" of \"role\" and \"content\"; with a \"json_schema\", or "
                   "\"json_object\": true, the answer is such JSON; its other members come back "
                   "with the answer as they are")
      ->required()
      ->type_name("FILE")
      ->group("Prompt");
  command
      ->add_option("-o,--out", a.out,
                   "Adds the answers to FILE instead; what it holds is not answered again. A share "
                   "has a file of its own beside it, as answers.2-of-4.jsonl, and the command "
                   "without a share brings all into FILE")
      ->type_name("FILE")
      ->group("Prompt");
  add_chat_arguments(*command, a.chat);
  command
      ->add_flag("--raw", a.chat.raw, "Complete the prompts as they are, without a chat template")
      ->group("Prompt")
      ->excludes("--system")
      ->excludes("--template")
      ->excludes("--chat-template-kwargs");
  restrict_to(command->add_option("--on-error", a.on_error,
                                  "A line that cannot be answered ends the command before any work "
                                  "(stop), or is named and left out (skip)"),
              {"stop", "skip"})
      ->group("Prompt");
  command
      ->add_option(
          "--shard", a.shard,
          "Answer the I-th of N shares of the lines only: lines I, I + N, ... (the share of "
          "mpirun or srun)")
      ->type_name("I/N")
      ->group("Prompt");
  command->add_option("--batch-size", a.batch_size, "Prompts denoised side by side at most (8)")
      ->check(CLI::Range(1, 4096).description(""))
      ->type_name("N")
      ->group("Generation");
  add_generation_arguments(*command, a.generation);
  command->footer(
      preset_help() +
      "\nPrints one JSON object a prompt, in the order of the file, as soon as it and those\n"
      "before it are done; one that failed has an \"error\" instead of a text. An answer does\n"
      "not depend on the prompts beside it. A prompt waits while there is no memory for it\n"
      "beside the others. After Ctrl-C those that are done are printed. With -o the same command\n"
      "goes on after whatever ended it, and tries again what failed.\n\n"
      "Examples:\n"
      "  unmask batch -m models/LLaDA-8B-Instruct -f prompts.jsonl > answers.jsonl\n"
      "  unmask batch -m models/LLaDA-8B-Instruct -f prompts.jsonl -o answers.jsonl --shard 2/4\n"
      "  unmask batch -m models/LLaDA-8B-Instruct -f prompts.jsonl --batch-size 4 "
      "--method sparse-dllm");
  return command;
}

int batch(const BatchArguments& a, Console& console) {
  const ModelFiles files = ModelFiles::open(a.model.directory, a.model.overrides);
  const Shard shard = chosen_shard(a.shard, a.model);
  const std::vector<BatchLine> lines = share_of(read_batch_lines(a.file, console), shard);
  if (lines.empty()) return kSuccess;  // there are more shares than lines
  Sieve sieve(a.on_error == "skip", console);
  Constraints constraints(files);
  std::optional<BatchAnswers> answers;
  if (a.out) answers.emplace(*a.out, shard);
  const uint64_t settings = a.out ? settings_fingerprint(a, files) : 0;
  BatchCount count{.lines = lines.size()};
  std::vector<BatchJob> jobs;
  std::set<std::string> said;
  for (const BatchLine& line : lines) {
    sieve.let_through([&] {
      BatchEntry entry = parse_batch_entry(line);
      std::vector<std::string> adjusted;
      Request request = request_of(a, files, entry, constraints, adjusted);
      warn_once(adjusted, said, console);
      warn_once(length_warnings(request, files.config()), said, console);
      const BatchItem item = a.out ? item_of(line, request, a, settings) : BatchItem{};
      if (answers && answers->has(item)) {
        ++count.known;
      } else {
        jobs.push_back({std::move(entry), std::move(request), item});
      }
    });
  }
  if (answers) answers->merge();
  if (jobs.empty() && count.known > 0) return conclude(count, sieve, console);
  if (jobs.empty()) fail("[batch] {}: none of its {} lines can be answered", a.file, lines.size());
  announce_seed(a.generation.seed, a.generation.seed_drawn, console);
  const InterruptWatch watch;
  Model model = load_model(a.model, files, {&longest(jobs), 1}, console);
  Batch batch(a, model, jobs, answers ? &*answers : nullptr, console);
  batch.run(sieve);
  count.answered = batch.answered();
  count.failed = batch.failed();
  return conclude(count, sieve, console);
}

}  // namespace unmask
