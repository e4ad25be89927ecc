#pragma once

#include <optional>
#include <string_view>

namespace unmask {

/// The whole of `text` as a finite decimal number, with a minus sign or without; none where it is
/// no such number or T cannot hold it. The locale does not matter. T is int, int64_t, uint64_t,
/// float or double.
template <typename T>
std::optional<T> parse_number(std::string_view text);

}  // namespace unmask
