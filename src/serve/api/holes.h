// Holes in the texts of completions: "The {{mask:3}} of France".
#pragma once

#include <string_view>
#include <vector>

#include "session/fill_template.h"

namespace unmask {

/// Pieces of a text with holes of the form {{mask:N}}, N masks each. Throws Error without a hole,
/// for a number that is none and for holes that are too large.
std::vector<FillPart> parse_holes(std::string_view text);

}  // namespace unmask
