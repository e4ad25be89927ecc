// The JSON values that schemas describe, as expressions: one spelling for each value, one blank
// after ':' and ',' and no other white space.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "constrain/expression.h"

namespace unmask {

/// Digits of a generated integer, and before and behind the point of a number. More would leave
/// what a double holds exactly, and parsers would turn integers into doubles.
inline constexpr int kMostDigits = 15;
inline constexpr int64_t kLargestInteger = 999'999'999'999'999;

/// Any string of `least` to `most` characters, with its quotes.
Expression string_value(Expressions& expressions, int least, std::optional<int> most);

/// The integers from `least` to `most`, both within +-kLargestInteger.
Expression integer_value(Expressions& expressions, int64_t least, int64_t most);

/// Decimal numbers, with an exponent of two digits at most.
Expression number_value(Expressions& expressions);
/// Ends of a range of numbers, both within +-kLargestInteger.
struct NumberRange {
  int64_t least = -kLargestInteger;
  int64_t most = kLargestInteger;
  bool without_least = false;  // the range is open there
  bool without_most = false;
};
/// Decimal numbers without exponent inside `range`.
Expression number_between(Expressions& expressions, const NumberRange& range);

/// `least` to `most` items: those of `first` in order, then any number from `others`, if given.
struct ArrayShape {
  std::vector<Expression> first{};
  std::optional<Expression> others{};
  int least = 0;
  std::optional<int> most{};
};
Expression array_value(Expressions& expressions, const ArrayShape& shape);

/// A member of an object with its fixed key.
struct ObjectMember {
  std::string_view key;
  Expression value;
  bool required = false;
};
/// The members in this order, optional ones with or without.
Expression object_value(Expressions& expressions, const std::vector<ObjectMember>& members);

/// Any object, or any value, whose objects and arrays nest at most `nesting` deep.
Expression any_object(Expressions& expressions, int nesting);
Expression any_value(Expressions& expressions, int nesting);

/// `value` as the generated text would spell it.
Expression constant_value(Expressions& expressions, const nlohmann::ordered_json& value);

}  // namespace unmask
