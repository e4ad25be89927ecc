// `unmask chat`: a conversation, line by line.
#include <CLI/CLI.hpp>
#include <optional>

#include "apps/commands/cli.h"
#include "apps/commands/commands.h"
#include "apps/commands/denoise.h"
#include "apps/options/hints.h"
#include "apps/terminal/canvas.h"
#include "apps/terminal/terminal.h"
#include "session/answer.h"

namespace unmask {

namespace {

constexpr std::string_view kHelp =
    "/system TEXT  set the system text and begin anew\n"
    "/reset        begin anew\n"
    "/help         this text\n"
    "/exit         leave, as does Ctrl-D; Ctrl-C cancels an answer\n";

constexpr int kUsualLength = 1024;  // tokens of a conversation, to estimate memory for

/// A conversation and the model that carries it on.
class Conversation {
 public:
  Conversation(const ConverseArguments& arguments, Console& console)
      : arguments_(arguments),
        console_(console),
        files_(ModelFiles::open(arguments.model.directory)),
        format_(choose_chat_format(files_, arguments.chat.format)),
        model_(load_model(arguments.model, files_, kUsualLength, console)),
        system_(arguments.chat.system) {
    reset();
  }

  /// Reads and answers lines until the end.
  void run();

 private:
  void reset() {
    messages_.clear();
    if (system_) messages_.push_back({"system", *system_});
  }
  /// The next line of the user; nothing at the end of the input or after Ctrl-C.
  std::optional<std::string> read_line();
  /// False: leave.
  bool obey(std::string_view command);
  void answer(const std::string& question);

  const ConverseArguments& arguments_;
  Console& console_;
  ModelFiles files_;
  ChatFormat format_;
  Model model_;
  std::optional<std::string> system_;
  std::vector<ChatMessage> messages_;
};

std::optional<std::string> Conversation::read_line() {
  if (console_.in_terminal) console_.err << "> " << std::flush;
  std::string line;
  if (std::getline(console_.in, line)) return line;
  if (console_.in_terminal) console_.err << '\n';
  return std::nullopt;
}

void Conversation::run() {
  if (console_.in_terminal) {
    const PresetSettings& preset = settings_of(arguments_.generation.preset);
    console_.err << fmt::format("{}, {}: {}.\nType /help for the commands.\n", files_.name(),
                                preset.name, preset.what);
  }
  while (const auto line = read_line()) {
    if (line->find_first_not_of(" \t\r") == std::string::npos) continue;
    if (line->starts_with('/')) {
      if (!obey(*line)) return;
      continue;
    }
    try {
      answer(*line);
    } catch (const Error& error) {
      // The conversation may be mended, for example by /reset.
      console_.err << "unmask: error: " << error.what() << hint(error.code()) << '\n';
    }
  }
}

bool Conversation::obey(std::string_view command) {
  constexpr std::string_view kSystem = "/system ";
  if (command == "/exit") return false;
  if (command == "/reset") {
    reset();
  } else if (command.starts_with(kSystem)) {
    system_ = command.substr(kSystem.size());
    reset();
  } else {
    if (command != "/help") warn(console_, "unknown command '{}'", printable(command, 40));
    console_.err << kHelp;
  }
  return true;
}

void Conversation::answer(const std::string& question) {
  std::vector<ChatMessage> messages = messages_;
  messages.push_back({"user", question});
  const Request request = build_request(arguments_.generation, files_,
                                        files_.tokenizer().encode(render_chat(format_, messages)));
  warn_about_lengths(arguments_.generation, request, files_.config(), console_);
  const Watch watch{.view = {.live = true},
                    .shown = {request.prompt_length, request.most_tokens()}};
  const Result result = denoise(model_, request, watch, console_);
  if (result.cancelled) {
    clear_interrupt();
    console_.err << "(cancelled)\n";
    return;
  }
  std::string text = answer_text(files_.tokenizer(), result);
  console_.out << (console_.out_terminal ? terminal_safe(text) : text) << std::endl;
  messages.push_back({"assistant", std::move(text)});
  messages_ = std::move(messages);
}

}  // namespace

CLI::App* add_chat(CLI::App& app, ConverseArguments& a) {
  CLI::App* command = app.add_subcommand("chat", "Talk with a model, line by line");
  add_model_arguments(*command, a.model);
  add_chat_arguments(*command, a.chat);
  add_generation_arguments(*command, a.generation);
  command->footer(
      "Within the conversation:\n  /system TEXT, /reset, /help, /exit\n\n"
      "Example:\n  unmask chat -m models/LLaDA-8B-Instruct -n 256 --system 'Be brief.'");
  return command;
}

int chat(const ConverseArguments& arguments, Console& console) {
  Conversation(arguments, console).run();
  return interrupted() ? kInterrupted : kSuccess;
}

}  // namespace unmask
