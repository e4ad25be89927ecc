// Completion scripts for shells, generated from the declared commands and options themselves.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace unmask {

/// What the shell may offer behind an option or as a positional argument: names of
/// acceleration methods and, behind a colon, of their options are `methods`.
enum class CompletionKind { nothing, words, methods, files, directories };

struct CompletionArgument {
  std::vector<std::string> names{};  // "-m", "--model"; none: positional
  std::string help{};
  bool takes_value = false;
  CompletionKind kind = CompletionKind::nothing;
  std::vector<std::string> words{};
};

struct CompletionCommand {
  std::string name;
  std::string help{};
  std::vector<CompletionArgument> arguments;
};

/// The program itself first, under its name, then its subcommands.
std::vector<CompletionCommand> completion_commands(const CLI::App& app);

std::string bash_completion(const std::vector<CompletionCommand>& commands);
std::string zsh_completion(const std::vector<CompletionCommand>& commands);
std::string fish_completion(const std::vector<CompletionCommand>& commands);

}  // namespace unmask
