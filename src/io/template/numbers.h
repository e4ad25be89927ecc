// Numbers in texts, as Python's int() and float() read them.
#pragma once

#include <optional>

#include "io/template/value.h"

namespace unmask::jinja {

/// What the filter `int` makes of a value: of "42.23", too; nothing for what is no number. Throws
/// Error beyond 64 bits.
std::optional<int64_t> to_integer(const Value& value);
/// What the filter `float` makes of it.
std::optional<double> to_real(const Value& value);

}  // namespace unmask::jinja
