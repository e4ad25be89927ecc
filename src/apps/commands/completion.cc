// `unmask completion`: the scripts of completion.h on standard output.
#include "apps/options/completion.h"

#include <CLI/CLI.hpp>

#include "apps/commands/cli.h"
#include "apps/commands/commands.h"

namespace unmask {

CLI::App* add_completion(CLI::App& app, CompletionArguments& a) {
  CLI::App* command = app.add_subcommand("completion", "Print a completion script for a shell");
  restrict_to(command->add_option("shell", a.shell, "Shell to write for")->required(),
              {"bash", "zsh", "fish"});
  command->footer(
      "Examples:\n"
      "  source <(unmask completion bash)\n"
      "  unmask completion fish > ~/.config/fish/completions/unmask.fish");
  return command;
}

int completion(const CLI::App& app, const CompletionArguments& a, Console& console) {
  const auto commands = completion_commands(app);
  if (a.shell == "bash") console.out << bash_completion(commands);
  if (a.shell == "zsh") console.out << zsh_completion(commands);
  if (a.shell == "fish") console.out << fish_completion(commands);
  return kSuccess;
}

}  // namespace unmask
