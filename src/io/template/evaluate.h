// Runs the tree of a template.
#pragma once

#include <ctime>

#include "io/template/syntax.h"

namespace unmask::jinja {

/// What the template prints about `data`, the variables that it sees; `now` is what strftime_now
/// tells. Throws Error that names the line: code chat_format, or other where the template itself
/// refuses the data. It ends within 10 million steps.
Text evaluate(const Tree& tree, const Dict& data, std::time_t now);

}  // namespace unmask::jinja
