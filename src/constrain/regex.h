// The regular expressions of JSON schema's `pattern` as automata: no backtracking, hence no input
// that takes exponential time.
#pragma once

#include <string_view>

#include "constrain/expression.h"

namespace unmask {

/// The inside of the JSON strings in which `pattern` matches somewhere, as JSON schema has it.
/// Understood of ECMA 262: characters, `.`, classes, \d \w \s and their opposites, groups,
/// alternatives, repeats up to 64, `^` and `$` at the ends of the outermost alternatives. Throws
/// Error (code `schema`) starting with `where` for everything else.
Expression pattern_expression(Expressions& expressions, std::string_view pattern,
                              std::string_view where);

}  // namespace unmask
