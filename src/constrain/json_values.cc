#include "constrain/json_values.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "constrain/characters.h"
#include "core/error.h"

namespace unmask {

namespace {

Expression digits(Expressions& e, int least, std::optional<int> most) {
  return e.repeat(e.byte({'0', '9'}), least, most);
}

Expression digit_between(Expressions& e, char first, char last) {
  return e.byte({static_cast<uint8_t>(first), static_cast<uint8_t>(last)});
}

/// Numbers of as many digits as both ends have, from `low` to `high`: equal leading digits, then
/// the ends' own digit with what is left of their bound, or any digit between.
Expression same_length(Expressions& e, std::string_view low, std::string_view high) {
  if (low.empty()) return e.literal("");
  const auto left = static_cast<int>(low.size()) - 1;
  const std::string nines(low.size() - 1, '9');
  const std::string zeros(low.size() - 1, '0');
  if (low.substr(1) == zeros && high.substr(1) == nines) {
    return e.sequence({digit_between(e, low[0], high[0]), digits(e, left, left)});
  }
  if (low[0] == high[0]) {
    return e.sequence(
        {digit_between(e, low[0], low[0]), same_length(e, low.substr(1), high.substr(1))});
  }
  std::vector<Expression> parts{
      e.sequence({digit_between(e, low[0], low[0]), same_length(e, low.substr(1), nines)}),
      e.sequence({digit_between(e, high[0], high[0]), same_length(e, zeros, high.substr(1))})};
  if (high[0] - low[0] > 1) {
    parts.push_back(
        e.sequence({digit_between(e, static_cast<char>(low[0] + 1), static_cast<char>(high[0] - 1)),
                    digits(e, left, left)}));
  }
  return e.choice(std::move(parts));
}

/// Decimal digits without leading zeros of `low` to `high`, both >= 0.
Expression magnitude(Expressions& e, int64_t low, int64_t high) {
  std::vector<Expression> parts;
  while (low <= high) {
    const std::string text = fmt::to_string(low);
    const std::string nines(text.size(), '9');
    const int64_t end = std::min(high, static_cast<int64_t>(std::stoll(nines)));
    parts.push_back(same_length(e, text, fmt::to_string(end)));
    low = end + 1;
  }
  return e.choice(std::move(parts));
}

Expression fraction(Expressions& e) {
  return e.sequence({e.literal("."), digits(e, 1, kMostDigits)});
}

/// A point and digits that are not all zeros.
Expression positive_fraction(Expressions& e) {
  return e.sequence({e.literal("."), e.repeat(e.literal("0"), 0, kMostDigits / 2),
                     e.byte({'1', '9'}), digits(e, 0, kMostDigits / 2)});
}

/// Decimal numbers of `range`, whose ends are >= 0.
Expression real_magnitude(Expressions& e, const NumberRange& range) {
  const Expression zeros = e.sequence({e.literal("."), e.repeat(e.literal("0"), 1, kMostDigits)});
  std::vector<Expression> parts;
  if (range.least < range.most) {
    const Expression end = range.without_least ? positive_fraction(e) : e.optional(fraction(e));
    parts.push_back(e.sequence({e.literal(fmt::to_string(range.least)), end}));
    const Expression inside = magnitude(e, range.least + 1, range.most - 1);
    parts.push_back(e.sequence({inside, e.optional(fraction(e))}));
  }
  const bool point = range.least == range.most && range.without_least;
  if (range.least <= range.most && !range.without_most && !point) {
    parts.push_back(e.sequence({e.literal(fmt::to_string(range.most)), e.optional(zeros)}));
  }
  return e.choice(std::move(parts));
}

Expression any_string(Expressions& e) { return string_value(e, 0, std::nullopt); }

}  // namespace

Expression string_value(Expressions& e, int least, std::optional<int> most) {
  const Expression character = string_character(e, CharacterSet::all());
  return e.sequence({e.literal("\""), e.repeat(character, least, most), e.literal("\"")});
}

Expression integer_value(Expressions& e, int64_t least, int64_t most) {
  const Expression negative = magnitude(e, std::max(-most, int64_t{1}), -least);
  return e.choice(
      {magnitude(e, std::max(least, int64_t{0}), most), e.sequence({e.literal("-"), negative})});
}

Expression number_value(Expressions& e) {
  const Expression whole =
      e.choice({e.literal("0"), e.sequence({e.byte({'1', '9'}), digits(e, 0, kMostDigits - 1)})});
  const Expression sign = e.choice({e.literal("+"), e.literal("-")});
  const Expression letter = e.choice({e.literal("e"), e.literal("E")});
  const Expression exponent = e.sequence({letter, e.optional(sign), digits(e, 1, 2)});
  return e.sequence(
      {e.optional(e.literal("-")), whole, e.optional(fraction(e)), e.optional(exponent)});
}

Expression number_between(Expressions& e, const NumberRange& range) {
  NumberRange positive = range;
  if (range.least < 0) positive.least = 0, positive.without_least = false;
  NumberRange negative{-range.most, -range.least, range.without_most, range.without_least};
  if (range.most > 0) negative.least = 0, negative.without_least = false;
  const Expression above = real_magnitude(e, positive);
  if (range.least >= 0) return above;
  const Expression below = e.sequence({e.literal("-"), real_magnitude(e, negative)});
  return range.most < 0 ? below : e.choice({above, below});
}

Expression array_value(Expressions& e, const ArrayShape& shape) {
  const auto n_first = static_cast<int>(shape.first.size());
  const Expression close = e.literal("]");
  // From the end: what may follow when `n` items are there, and the same without a comma when there
  // are none.
  const int counted = std::max({n_first, shape.least, shape.most.value_or(0)});
  const auto item = [&](int n) -> std::optional<Expression> {
    if (shape.most && n >= *shape.most) return std::nullopt;
    return n < n_first ? shape.first[static_cast<size_t>(n)] : shape.others;
  };
  Expression rest = close;
  if (const auto other = item(counted)) {
    rest = e.sequence({e.repeat(e.sequence({e.literal(", "), *other}), 0), close});
    if (counted == 0) {
      return e.sequence({e.literal("["), e.choice({close, e.sequence({*other, rest})})});
    }
  }
  for (int n = counted - 1; n >= 0; --n) {
    std::vector<Expression> parts;
    if (n >= shape.least) parts.push_back(close);
    if (const auto next = item(n)) {
      parts.push_back(e.sequence({e.literal(n == 0 ? "" : ", "), *next, rest}));
    }
    rest = e.choice(std::move(parts));
  }
  return e.sequence({e.literal("["), rest});
}

Expression object_value(Expressions& e, const std::vector<ObjectMember>& members) {
  Expression behind_none = e.literal("}");  // what may follow when no member is there yet
  Expression behind_some = behind_none;
  for (auto m = members.rbegin(); m != members.rend(); ++m) {
    const nlohmann::json key = m->key;
    const Expression here = e.sequence({e.literal(key.dump() + ": "), m->value, behind_some});
    const Expression with_comma = e.sequence({e.literal(", "), here});
    behind_none = m->required ? here : e.choice({here, behind_none});
    behind_some = m->required ? with_comma : e.choice({with_comma, behind_some});
  }
  return e.sequence({e.literal("{"), behind_none});
}

Expression any_object(Expressions& e, int nesting) {
  const Expression member = e.sequence({any_string(e), e.literal(": "), any_value(e, nesting - 1)});
  const Expression others = e.repeat(e.sequence({e.literal(", "), member}), 0);
  return e.sequence({e.literal("{"), e.optional(e.sequence({member, others})), e.literal("}")});
}

Expression any_value(Expressions& e, int nesting) {
  std::vector<Expression> parts{any_string(e), number_value(e), e.literal("true"),
                                e.literal("false"), e.literal("null")};
  if (nesting > 0) {
    parts.push_back(any_object(e, nesting));
    parts.push_back(array_value(e, {.others = any_value(e, nesting - 1)}));
  }
  return e.choice(std::move(parts));
}

Expression constant_value(Expressions& e, const nlohmann::ordered_json& value) {
  std::vector<Expression> items;
  if (value.is_array()) {
    for (const auto& item : value) items.push_back(constant_value(e, item));
    const auto count = static_cast<int>(items.size());
    return array_value(e, {.first = std::move(items), .least = count, .most = count});
  }
  if (!value.is_object()) return e.literal(value.dump());
  std::vector<ObjectMember> members;
  for (const auto& [key, member] : value.items()) {
    members.push_back({key, constant_value(e, member), /*required=*/true});
  }
  return object_value(e, members);
}

}  // namespace unmask
