// From an answer to a score.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "eval/example.h"

namespace unmask {

/// 0 to 1. Throws Error for a reference that is no regular expression or has no number, and
/// LogicError for metrics that are not about an answer's text.
double score_answer(const Example& example, std::string_view answer);

/// The last number in a text, "1,234.50" as "1234.5"; none without one.
std::optional<std::string> last_number(std::string_view text);

/// Throws Error where score_answer() would, whatever the answer.
void check_references(const Example& example);

}  // namespace unmask
