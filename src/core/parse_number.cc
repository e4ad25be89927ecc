#include "core/parse_number.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <fast_float/fast_float.h>
#include <type_traits>

namespace unmask {

template <typename T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const char* begin = text.data();
  const char* end = begin + text.size();
  if constexpr (std::is_floating_point_v<T>) {  // Apple's std::from_chars has none of these
    const auto [stop, problem] = fast_float::from_chars(begin, end, value);
    if (problem != std::errc{} || stop != end || !std::isfinite(value)) return std::nullopt;
  } else {
    const auto [stop, problem] = std::from_chars(begin, end, value);
    if (problem != std::errc{} || stop != end) return std::nullopt;
  }
  return value;
}

template std::optional<int> parse_number(std::string_view);
template std::optional<int64_t> parse_number(std::string_view);
template std::optional<uint64_t> parse_number(std::string_view);
template std::optional<float> parse_number(std::string_view);
template std::optional<double> parse_number(std::string_view);

}  // namespace unmask
