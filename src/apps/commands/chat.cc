// `unmask chat`: a conversation, line by line.
#include <CLI/CLI.hpp>
#include <optional>

#include "apps/commands/cli.h"
#include "apps/commands/commands.h"
#include "apps/commands/conversation.h"
#include "apps/options/hints.h"
#include "apps/terminal/line_editor.h"
#include "apps/terminal/terminal.h"

namespace unmask {

namespace {

/// Where the lines of a conversation come from: an editor at a terminal, else the input as it is.
class Lines {
 public:
  Lines(const ConverseArguments& arguments, Console& console) : console_(console) {
    if (!console.in_terminal || !console.err_terminal) return;
    editor_.emplace(LineHistory(arguments.history ? state_file("chat_history") : std::nullopt),
                    Conversation::commands());
  }
  /// Nothing at the end of the input, after Ctrl-C twice, and when the process is told to end.
  std::optional<std::string> next();

 private:
  std::optional<std::string> plain();

  Console& console_;
  std::optional<LineEditor> editor_;
};

std::optional<std::string> Lines::plain() {
  if (console_.in_terminal) console_.err << "> " << std::flush;
  std::string line;
  if (std::getline(console_.in, line)) return line;
  if (console_.in_terminal) console_.err << '\n';
  return std::nullopt;
}

std::optional<std::string> Lines::next() {
  if (!editor_) return plain();
  bool warned = false;
  while (true) {
    LineEditor::Line line = editor_->read("> ");
    if (line.end == LineEditor::End::line) return std::move(line.text);
    if (line.end == LineEditor::End::closed) return std::nullopt;
    clear_interrupt();
    if (!line.was_empty) continue;
    if (std::exchange(warned, true)) return std::nullopt;
    console_.err << "(Ctrl-C once more leaves, as does Ctrl-D)\n";
  }
}

}  // namespace

CLI::App* add_chat(CLI::App& app, ConverseArguments& a) {
  CLI::App* command = app.add_subcommand("chat", "Talk with a model, line by line");
  add_model_arguments(*command, a.model);
  add_prefix_cache(*command, a.model);
  add_chat_arguments(*command, a.chat);
  add_generation_arguments(*command, a.generation);
  command
      ->add_flag("--no-history{false}", a.history,
                 "Neither read nor keep lines of earlier conversations (chat_history in the folder "
                 "unmask of XDG_STATE_HOME or ~/.local/state)")
      ->group("History");
  command->footer(
      preset_help() +
      "\nWithin the conversation /help lists the commands: /system, /reset, /retry, /undo, /save,\n"
      "/load, /preset, /set, /exit. Lines are edited as in a shell, pastes keep their line "
      "breaks.\n\n"
      "Example:\n  unmask chat -m models/LLaDA-8B-Instruct -n 256 --system 'Be brief.'");
  return command;
}

int chat(const ConverseArguments& arguments, Console& console) {
  const InterruptWatch watch;
  Lines lines(arguments, console);  // first: what is typed while the model loads is kept whole
  announce_seed(arguments.generation.seed, arguments.generation.seed_drawn, console);
  Conversation conversation(arguments, console);
  if (console.in_terminal) note_text(console, conversation.greeting() + '\n');
  while (const auto line = lines.next()) {
    try {
      if (!conversation.take(*line)) break;
    } catch (const Error& error) {
      // The conversation may be mended, for example by /reset.
      tell(console, "error: {}", as_typed(error));
    }
  }
  return interrupted() ? kInterrupted : kSuccess;
}

}  // namespace unmask
