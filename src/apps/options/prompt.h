// The text that a command works on, from the command line, a file or standard input.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "apps/options/arguments.h"
#include "apps/terminal/console.h"
#include "session/model_files.h"

namespace unmask {

/// Everything that a file or, for "-", standard input has; a pipe is as good. Throws Error, which
/// begins with [`where`], when it cannot be read or has more than `most` bytes.
std::string read_whole(std::string_view where, const std::string& file, size_t most,
                       Console& console);

/// The text of -p, -f or standard input. The latter two lose a byte order mark, the carriage return
/// of each line's end, and one line break at the end.
std::string read_prompt(const PromptArguments& arguments, Console& console);

/// The same as the model is to read it: in its chat template, or raw. Throws Error when empty.
std::vector<TokenId> read_question(const PromptArguments& arguments, const PromptOptions& options,
                                   const ModelFiles& files, Console& console);

/// That the canvas is longer than the texts the model was trained on; nothing where it is not.
std::vector<std::string> length_warnings(const Request& request, const ModelConfig& config);
void warn_of(const std::vector<std::string>& lines, Console& console);
/// Warns of what is not in `said` yet, and adds it: what many requests have in common is said once.
void warn_once(const std::vector<std::string>& lines, std::set<std::string>& said,
               Console& console);

}  // namespace unmask
