// JSON that people wrote as values of a template.
#pragma once

#include <string_view>

#include "io/template/value.h"

namespace unmask::jinja {

/// The value of a JSON text; all texts in it are quoted, the last of equal keys counts. Throws
/// Error that begins with `where` for what is no JSON, deeper than 64 levels, or an integer of more
/// than 64 bits.
Value read_json(std::string_view text, std::string_view where);

}  // namespace unmask::jinja
