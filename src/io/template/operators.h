// What Python's operators do with the values of a template. All of them throw Error (chat_format)
// for types that do not fit.
#pragma once

#include <optional>
#include <string_view>

#include "io/template/value.h"

namespace unmask::jinja {

bool truth(const Value& value);
bool equal(const Value& a, const Value& b, Budget& budget);
/// a < b.
bool less(const Value& a, const Value& b, Budget& budget);
/// `op` is one of == != < <= > >= in "not in".
bool compare(std::string_view op, const Value& a, const Value& b, Budget& budget);
bool contains(const Value& container, const Value& item, Budget& budget);

/// `op` is one of + - * / // % **.
Value calculate(std::string_view op, const Value& a, const Value& b, Budget& budget);
Value negate(const Value& value);

/// The number of a value as Python's float; nothing for what is none.
std::optional<double> as_real(const Value& value);
/// The same as an integer, of integers and of true and false.
std::optional<int64_t> as_integer(const Value& value);

/// Items of what can be iterated over: characters, items, keys.
Values iterate(const Value& value, Budget& budget);
int64_t length(const Value& value);

/// value[key]; undefined when there is no such part.
Value item(const Value& value, const Value& key);
/// value[first:last:step] of a text or a list; none where a bound is left out.
Value slice(const Value& value, const Value& first, const Value& last, const Value& step);

}  // namespace unmask::jinja
