#include "io/template/numbers.h"

#include <charconv>
#include <cmath>
#include <fast_float/fast_float.h>
#include <limits>

#include "core/error.h"
#include "io/template/operators.h"

namespace unmask::jinja {

namespace {

/// Without white space around it and underscores between digits; empty for what has others.
std::string plain_digits(const Text& text) {
  const std::string bytes = strip(text, nullptr, Side::both).bytes();
  const auto is_digit = [&](size_t at) {
    return at < bytes.size() && bytes[at] >= '0' && bytes[at] <= '9';
  };
  std::string out;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != '_') {
      out += bytes[i];
    } else if (i == 0 || !is_digit(i - 1) || !is_digit(i + 1)) {
      return {};
    }
  }
  return out;
}

std::optional<double> read_real(const Text& text) {
  std::string digits = lower(Text(plain_digits(text))).bytes();
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.erase(0, 1);
  const double sign = negative ? -1 : 1;
  if (digits == "inf" || digits == "infinity")
    return sign * std::numeric_limits<double>::infinity();
  if (digits == "nan") return std::numeric_limits<double>::quiet_NaN();
  const bool number =
      !digits.empty() && (digits[0] == '.' || (digits[0] >= '0' && digits[0] <= '9'));
  if (!number) return std::nullopt;
  double value = 0;
  const char* end = digits.data() + digits.size();
  // What is too large or too small becomes infinity or 0.
  if (fast_float::from_chars(digits.data(), end, value).ptr != end) return std::nullopt;
  return sign * value;
}

int64_t whole(double value) {
  if (std::abs(value) >= 9.2e18) {
    fail(ErrorCode::chat_format, "found an integer of more than 64 bits");
  }
  return static_cast<int64_t>(value);
}

}  // namespace

std::optional<double> to_real(const Value& value) {
  if (value.is_undefined()) fail(ErrorCode::chat_format, "{}", value.why_undefined());
  if (const Text* text = value.text()) return read_real(*text);
  return as_real(value);
}

std::optional<int64_t> to_integer(const Value& value) {
  if (const auto number = as_integer(value)) return number;
  if (const Text* text = value.text()) {
    std::string digits = plain_digits(*text);
    if (digits.starts_with('+') && !digits.starts_with("+-")) digits.erase(0, 1);
    int64_t number = 0;
    const char* end = digits.data() + digits.size();
    const auto [stop, problem] = std::from_chars(digits.data(), end, number);
    if (stop == end && problem == std::errc::result_out_of_range) {
      fail(ErrorCode::chat_format, "found an integer of more than 64 bits");
    }
    if (stop == end && problem == std::errc{}) return number;
  }
  const auto number = to_real(value);
  if (!number || !std::isfinite(*number)) return std::nullopt;
  return whole(*number);
}

}  // namespace unmask::jinja
