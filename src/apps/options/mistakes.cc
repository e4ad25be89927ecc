#include "apps/options/mistakes.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>
#include <numeric>

#include "core/error.h"

namespace unmask {

namespace {

constexpr size_t kShown = 30;  // bytes of what was typed

/// Names of other programs' options for which a near spelling is no help, and what to do here.
struct Elsewhere {
  std::string_view names;  // each between blanks
  std::string_view instead;
};
constexpr Elsewhere kElsewhere[] = {
    {" --ctx-size -c --n-ctx --max-model-len --max-seq-len --max-length ",
     "the context is as long as the prompt and what -n adds; there is nothing to set"},
    {" --verbose --log-verbose --debug ",
     "times and counts come with --json, the plan with --explain, the steps with --live"},
    {" --n-gpu-layers --gpu-layers --tensor-parallel-size --gpu-memory-utilization ",
     "--device cuda computes all of a model on one device"},
    {" --num-beams --best-of --num-return-sequences ",
     "there are no beams; other seeds give other answers above --temperature 0"},
    {" --do-sample ", "every --temperature above 0 samples"},
    {" --stream ", "--live shows the text while it is being made"},
    {" --min-p --typical-p --repeat-penalty --repetition-penalty --presence-penalty "
     "--frequency-penalty --mirostat ",
     "there is no such filter; there are --temperature, --top-p and --top-k"},
    {" --interactive --conversation -i -cnv ", "unmask chat is for conversations"},
    {" --output --out ", "the answer goes to standard output: add > FILE"},
    {" --quantization --load-in-8bit --load-in-4bit --torch-dtype ",
     "--dtype is the type of the weights: bf16, int8, int4"},
    {" --port --host ", "there is no server yet; batch answers many prompts of a file"},
    {" --remasking --diffusion-algorithm ", "--algorithm is how masks are ranked"},
};

/// Slips that turn `a` into `b`: a letter left out, added or replaced, two that changed places.
size_t slips(std::string_view a, std::string_view b) {
  std::vector<size_t> two_before;
  std::vector<size_t> before;
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    two_before = std::exchange(before, row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({before[j] + 1, row[j - 1] + 1, before[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], two_before[j - 2] + 1);
      }
    }
  }
  return row.back();
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::string shown(std::string_view typed) { return printable(typed, kShown); }

std::string unknown_option(const CLI::App& command, std::string name) {
  name = name.substr(0, name.find('='));
  for (const Elsewhere& option : kElsewhere) {
    if (option.names.find(" " + name + " ") == std::string_view::npos) continue;
    return fmt::format("there is no option {}: {}", name, option.instead);
  }
  const auto meant = nearest(name, option_names(command));
  return fmt::format("there is no option {}{}", shown(name),
                     meant ? fmt::format("; did you mean {}?", *meant) : "");
}

std::string stray_text(const CLI::App& command, std::string_view text) {
  const bool asks = command.get_option_no_throw("--prompt") != nullptr;
  return fmt::format("'{}' belongs to no option{}", shown(text),
                     asks ? "; a prompt stands behind -p" : "");
}

}  // namespace

std::optional<std::string> nearest(std::string_view typed, const std::vector<std::string>& words) {
  std::vector<std::string> beginning;
  std::copy_if(words.begin(), words.end(), std::back_inserter(beginning),
               [&](const std::string& word) { return word.starts_with(typed); });
  if (beginning.size() == 1) return beginning[0];
  const auto distance = [&](const std::string& word) { return slips(typed, word); };
  const auto best = std::min_element(
      words.begin(), words.end(),
      [&](const std::string& a, const std::string& b) { return distance(a) < distance(b); });
  const size_t bearable = std::max<size_t>(1, typed.size() / 3);
  if (best == words.end() || distance(*best) > bearable) return std::nullopt;
  return *best;
}

std::vector<std::string> usual_words(std::vector<std::string> arguments) {
  if (arguments.empty()) return arguments;
  std::string& first = arguments[0];
  if (first == "version" || first == "-v" || first == "-V") {
    first = "--version";
  } else if (first == "help") {
    arguments.erase(arguments.begin());
    arguments.emplace_back("--help");
  }
  return arguments;
}

std::string wrong_command(const CLI::App& app, const std::vector<std::string>& arguments) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  const std::string all = fmt::format("the commands are {}", fmt::join(names, ", "));
  if (arguments.empty()) return "which command? " + all;
  const std::string& first = arguments[0];
  const bool known = std::count(names.begin(), names.end(), first) > 0;
  if (known || first == "--help" || first == "-h" || first == "--version") return "";
  if (first.starts_with('-')) {
    return fmt::format("a command stands before its options, but here is {}; {}", shown(first),
                       all);
  }
  const auto meant = nearest(first, names);
  return fmt::format("there is no command '{}'; {}", shown(first),
                     meant ? fmt::format("did you mean {}?", *meant) : all);
}

std::string wrong_arguments(const CLI::App& command, const CLI::ParseError& error) {
  const std::vector<std::string> rest = command.remaining();
  // A misspelt option is why others are missing, and why its value stands alone.
  for (const std::string& word : rest) {
    if (word.size() > 1 && word.starts_with('-')) return unknown_option(command, word);
  }
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !rest.empty()) {
    return stray_text(command, rest[0]);
  }
  return error.what();
}

}  // namespace unmask
