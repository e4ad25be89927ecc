#include "apps/options/completion.h"

#include <fmt/format.h>

#include "apps/options/arguments.h"
#include "methods/registry.h"

namespace unmask {

namespace {

using Commands = std::vector<CompletionCommand>;

CompletionArgument describe(const CLI::Option& option) {
  CompletionArgument argument{.help = option.get_description(),
                              .takes_value = option.get_items_expected_max() > 0,
                              .words = choices_of(option)};
  for (const auto& name : option.get_snames()) argument.names.push_back("-" + name);
  for (const auto& name : option.get_lnames()) argument.names.push_back("--" + name);
  const std::string type = option.get_type_name();
  if (option.check_lname("method")) {
    argument.kind = CompletionKind::methods;
  } else if (!argument.words.empty()) {
    argument.kind = CompletionKind::words;
  } else if (type == "DIR" || type == "DIR[:SCALE]") {
    argument.kind = CompletionKind::directories;
  } else if (type == "FILE" || type == "DIR|FILE") {
    argument.kind = CompletionKind::files;
  }
  return argument;
}

CompletionCommand describe(const CLI::App& app) {
  CompletionCommand command{app.get_name(), app.get_description(), {}};
  for (const CLI::Option* option : app.get_options())
    command.arguments.push_back(describe(*option));
  return command;
}

/// Text for each method whose options are known, made of its name and its options ("skip=").
template <typename Make>
std::string each_method(const Make& make) {
  std::string out;
  for (const std::string& name : method_names()) {
    std::vector<std::string> options;
    for (const std::string& option : method_options(name)) options.push_back(option + "=");
    if (!options.empty()) out += make(name, options);
  }
  return out;
}

/// `text` for use between single quotes.
std::string escaped(std::string_view text, std::string_view quote) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += quote;
    } else {
      out += c;
    }
  }
  return out;
}

std::vector<std::string> names_of(const Commands& commands) {
  std::vector<std::string> names;
  for (size_t i = 1; i < commands.size(); ++i) names.push_back(commands[i].name);
  return names;
}

std::string bash_reply(const CompletionArgument& argument) {
  switch (argument.kind) {
    case CompletionKind::nothing: return "";
    case CompletionKind::words:
      return fmt::format(R"(compgen -W '{}' -- "$current")", fmt::join(argument.words, " "));
    case CompletionKind::methods: return R"(_unmask_methods "$current")";
    case CompletionKind::files: return R"(compgen -f -- "$current")";
    case CompletionKind::directories: return R"(compgen -d -- "$current")";
  }
  return "";
}

/// The branches of a bash `case` over command and previous word: what follows an option.
std::string bash_values(const CompletionCommand& command) {
  std::string out;
  for (const CompletionArgument& argument : command.arguments) {
    if (argument.names.empty() || !argument.takes_value) continue;
    std::vector<std::string> patterns;
    for (const auto& name : argument.names) patterns.push_back(command.name + "," + name);
    const std::string reply = bash_reply(argument);
    const bool method = argument.kind == CompletionKind::methods;  // options may follow
    out += fmt::format("    {}) {}{}return ;;\n", fmt::join(patterns, "|"),
                       method ? "compopt +o filenames -o nospace 2>/dev/null; " : "",
                       reply.empty() ? "" : fmt::format("mapfile -t COMPREPLY < <({}); ", reply));
  }
  return out;
}

/// The branch of a bash `case` over the command: its options, or its positional argument.
std::string bash_words(const CompletionCommand& command, const std::vector<std::string>& others) {
  std::vector<std::string> words = others;
  std::string positional;
  for (const CompletionArgument& argument : command.arguments) {
    words.insert(words.end(), argument.names.begin(), argument.names.end());
    if (argument.names.empty()) positional = bash_reply(argument) + "; ";
  }
  return fmt::format("    {}) mapfile -t COMPREPLY < <({}compgen -W '{}' -- \"$current\") ;;\n",
                     command.name, positional, fmt::join(words, " "));
}

std::string zsh_action(const CompletionArgument& argument) {
  switch (argument.kind) {
    case CompletionKind::nothing: return "value: ";
    case CompletionKind::words: return fmt::format("value:({})", fmt::join(argument.words, " "));
    case CompletionKind::methods: return "method:_unmask_methods";
    case CompletionKind::files: return "file:_files";
    case CompletionKind::directories: return "directory:_files -/";
  }
  return "";
}

std::string zsh_spec(const CompletionArgument& argument) {
  if (argument.names.empty()) return fmt::format("'1:{}'", zsh_action(argument));
  std::string help;
  for (const char c : escaped(argument.help, R"('\'')")) {
    if (c == '[' || c == ']') help += '\\';
    help += c;
  }
  const std::string tail =
      fmt::format("'[{}]{}'", help, argument.takes_value ? ":" + zsh_action(argument) : "");
  if (argument.names.size() == 1) return argument.names.front() + tail;
  return fmt::format("'({})'{{{}}}{}", fmt::join(argument.names, " "),
                     fmt::join(argument.names, ","), tail);
}

std::string zsh_arguments(const CompletionCommand& command) {
  std::string out = "_arguments -s";
  for (const CompletionArgument& argument : command.arguments) {
    out += " \\\n        " + zsh_spec(argument);
  }
  return out;
}

std::string fish_argument(const CompletionArgument& argument) {
  std::string out;
  for (const std::string& name : argument.names) {
    out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  const bool files = argument.kind == CompletionKind::files;
  if (argument.takes_value && !argument.names.empty()) out += files ? " -r" : " -x";
  switch (argument.kind) {
    case CompletionKind::nothing: break;
    case CompletionKind::words:
      out += fmt::format(" -a '{}'", fmt::join(argument.words, " "));
      break;
    case CompletionKind::methods: out += " -a '(__unmask_methods)'"; break;
    case CompletionKind::files: out += " -F"; break;
    case CompletionKind::directories: out += " -a '(__fish_complete_directories)'"; break;
  }
  return out + fmt::format(" -d '{}'\n", escaped(argument.help, R"(\')"));
}

}  // namespace

Commands completion_commands(const CLI::App& app) {
  Commands commands{describe(app)};
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    commands.push_back(describe(*sub));
  }
  return commands;
}

std::string bash_completion(const Commands& commands) {
  const CompletionCommand& program = commands.front();
  const std::vector<std::string> names = names_of(commands);
  std::string values;
  std::string words;
  for (const CompletionCommand& command : commands) {
    values += bash_values(command);
    words += bash_words(command, &command == &program ? names : std::vector<std::string>{});
  }
  const std::string options = each_method([](const auto& name, const auto& known) {
    return fmt::format("      {}) words='{}' ;;\n", name, fmt::join(known, " "));
  });
  return fmt::format(R"(# bash completion of {0}; source it, or put it where bash-completion looks
_unmask_methods() {{
  local head=${{1%"${{1##*[:,+]}}"}} spec=${{1##*+}} words='{4}'
  if [[ $spec == *:* ]]; then
    words=
    case ${{spec%%:*}} in
{5}    esac
  fi
  compgen -P "$head" -W "$words" -- "${{1##*[:,+]}}"
}}
_{0}() {{
  # bash breaks words at colons and equal signs; here they belong to the words.
  local i=$COMP_CWORD current=${{COMP_WORDS[COMP_CWORD]}}
  while ((i > 1)) && [[ ${{COMP_WORDS[i-1]}} == [:=] || $current == [:=]* ]]; do
    ((i--))
    current=${{COMP_WORDS[i]}}$current
  done
  local previous=${{COMP_WORDS[i-1]}} head=${{current%"${{current##*[:=]}}"}}
  if [[ $current == --*=* ]]; then
    previous=${{current%%=*}} current=${{current#*=}}
    head=${{head#*=}}
  fi
  _{0}_words
  COMPREPLY=("${{COMPREPLY[@]#"$head"}}")
}}
_{0}_words() {{
  local word command={0}
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case $word in {1}) command=$word; break ;; esac
  done
  COMPREPLY=()
  case $command,$previous in
{2}  esac
  case $command in
{3}  esac
}}
complete -o filenames -F _{0} {0}
)",
                     program.name, fmt::join(names, "|"), values, words,
                     fmt::join(method_names(), " "), options);
}

std::string zsh_completion(const Commands& commands) {
  const CompletionCommand& program = commands.front();
  std::string list;
  std::string branches;
  for (size_t i = 1; i < commands.size(); ++i) {
    list += fmt::format("    '{}:{}'\n", commands[i].name, escaped(commands[i].help, R"('\'')"));
    branches += fmt::format("    {})\n      {} ;;\n", commands[i].name, zsh_arguments(commands[i]));
  }
  const std::string options = each_method([](const auto& name, const auto& known) {
    return fmt::format("      {}) words=({}) ;;\n", name, fmt::join(known, " "));
  });
  return fmt::format(R"(#compdef {0}
_unmask_methods() {{
  local spec=${{PREFIX##*+}}
  local -a words
  words=({4})
  if [[ $spec == *:* ]]; then
    words=()
    case ${{spec%%:*}} in
{5}    esac
  fi
  compset -P '*[:,+]'
  compadd -S '' -- $words
}}
_{0}() {{
  local -a commands=(
{1}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    {2}
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
{3}  esac
}}
compdef _{0} {0}
)",
                     program.name, list, zsh_arguments(program), branches,
                     fmt::join(method_names(), " "), options);
}

std::string fish_completion(const Commands& commands) {
  const CompletionCommand& program = commands.front();
  const std::string options = each_method([](const auto& name, const auto& known) {
    return fmt::format("      case {}\n        set words {}\n", name, fmt::join(known, " "));
  });
  std::string out = fmt::format(R"(# fish completion of {0}
function __unmask_methods
  set -l token (string replace -r '^--method=' '' -- (commandline -ct))
  set -l head (string match -r '^.*[:,+]' -- $token)
  set -l spec (string replace -r '^.*\+' '' -- $token)
  set -l words {2}
  if string match -q '*:*' -- $spec
    set words
    switch (string replace -r ':.*' '' -- $spec)
{1}    end
  end
  for word in $words
    echo "$head$word"
  end
end
complete -c {0} -f
)",
                                program.name, options, fmt::join(method_names(), " "));
  for (const CompletionArgument& argument : program.arguments) {
    out += fmt::format("complete -c {} -n __fish_use_subcommand{}", program.name,
                       fish_argument(argument));
  }
  for (size_t i = 1; i < commands.size(); ++i) {
    const CompletionCommand& command = commands[i];
    out += fmt::format("complete -c {} -n __fish_use_subcommand -a {} -d '{}'\n", program.name,
                       command.name, escaped(command.help, R"(\')"));
    for (const CompletionArgument& argument : command.arguments) {
      out += fmt::format("complete -c {} -n '__fish_seen_subcommand_from {}'{}", program.name,
                         command.name, fish_argument(argument));
    }
  }
  return out;
}

}  // namespace unmask
