// What somebody meant who typed a word that the command line does not have.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace unmask {

/// The one of `words` that differs from `typed` by the fewest slips of a key, where they are few
/// enough to mean it; also the only one that begins with it.
std::optional<std::string> nearest(std::string_view typed, const std::vector<std::string>& words);

/// The command line as it was meant: `help` and `version` as a command, -v and -V in its place.
std::vector<std::string> usual_words(std::vector<std::string> arguments);

/// Why the first word is no command; empty where it is one, or an option of the program.
std::string wrong_command(const CLI::App& app, const std::vector<std::string>& arguments);

/// What is wrong in the arguments of `command`, in one line that names what was typed, and never a
/// text to work on where an option is misspelt.
std::string wrong_arguments(const CLI::App& command, const CLI::ParseError& error);

}  // namespace unmask
