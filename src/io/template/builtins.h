// Everything that templates can call: filters, tests, functions, and methods of values.
#pragma once

#include <ctime>
#include <deque>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "io/template/value.h"

namespace unmask::jinja {

/// What one run of a template owns.
struct Environment {
  Budget budget{};
  std::time_t now = 0;             // what strftime_now tells
  std::deque<Namespace> spaces{};  // referred to by values
};

/// A call by name: `subject | name(arguments)`, `subject is name(arguments)`,
/// `subject.name(arguments)` or `name(arguments)`.
struct Call {
  std::string name;
  Environment& environment;
  Value subject{};
  Values arguments{};
  std::vector<std::pair<std::string, Value>> keywords{};

  Budget& budget() const { return environment.budget; }
  /// The arguments in the order of `parameters`, nothing for those that were not given. Throws
  /// Error unless each argument has a parameter and the first `required` parameters an argument.
  std::vector<std::optional<Value>> bind(std::initializer_list<std::string_view> parameters,
                                         size_t required = 0) const;
  [[noreturn]] void refuse(std::string_view what) const;
  /// An argument of that type, or `absent`. Throws Error for another type.
  int64_t integer(const std::optional<Value>& argument, int64_t absent) const;
  const Text& text(const std::optional<Value>& argument) const;
};

Value apply_filter(const Call& call);
bool apply_test(const Call& call);
Value call_function(const Call& call);
Value call_method(const Call& call);
bool is_function(std::string_view name);

/// value.name: a method, else a part; undefined without either. What changes lists and dictionaries
/// is undefined, as transformers' sandbox forbids it.
Value attribute(const Value& value, std::string_view name);
/// value[key]: a part, else a method.
Value part(const Value& value, const Value& key);
/// The part that "a.b.0" names; `absent` stands for each that is undefined.
Value part_at_path(Value value, const Value& path, const std::optional<Value>& absent = {});

using Builtin = Value (*)(const Call&);
/// By name, null for none.
Builtin find_text_filter(std::string_view name);
Builtin find_list_filter(std::string_view name);
Builtin find_text_method(std::string_view name);
Builtin find_list_method(std::string_view name);
Builtin find_dict_method(std::string_view name);

/// A text with its places filled in: `{}`, `{0}` and `{name}`, and `%s`, `%d` and `%%`.
Text format_braces(const Call& call);
Text format_percent(const Text& pattern, const Values& arguments);

}  // namespace unmask::jinja
