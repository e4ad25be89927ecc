#include "io/template/builtins.h"

#include <algorithm>
#include <array>
#include <map>

#include "core/error.h"
#include "io/template/operators.h"
#include "io/template/print.h"

namespace unmask::jinja {

std::vector<std::optional<Value>> Call::bind(std::initializer_list<std::string_view> parameters,
                                             size_t required) const {
  std::vector<std::optional<Value>> bound(parameters.size());
  if (arguments.size() > parameters.size()) {
    refuse(fmt::format("found {} arguments, expected at most {}", arguments.size(),
                       parameters.size()));
  }
  std::copy(arguments.begin(), arguments.end(), bound.begin());
  for (const auto& [keyword, value] : keywords) {
    const auto* found = std::find(parameters.begin(), parameters.end(), keyword);
    if (found == parameters.end()) {
      refuse(fmt::format("it has no argument '{}'", printable(keyword, 40)));
    }
    bound[static_cast<size_t>(found - parameters.begin())] = value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (!bound[i]) refuse(fmt::format("it needs the argument '{}'", *(parameters.begin() + i)));
  }
  return bound;
}

void Call::refuse(std::string_view what) const {
  fail(ErrorCode::chat_format, "'{}': {}", printable(name, 40), what);
}

int64_t Call::integer(const std::optional<Value>& argument, int64_t absent) const {
  if (!argument) return absent;
  const auto number = as_integer(*argument);
  if (!number) refuse(fmt::format("found a {}, expected an integer", argument->type()));
  return *number;
}

const Text& Call::text(const std::optional<Value>& argument) const {
  if (!argument || argument->text() == nullptr) {
    refuse(fmt::format("found a {}, expected a text", argument ? argument->type() : "nothing"));
  }
  return *argument->text();
}

Value apply_filter(const Call& call) {
  call.budget().spend(1 + call.subject.cost());
  Builtin filter = find_text_filter(call.name);
  if (filter == nullptr) filter = find_list_filter(call.name);
  if (filter == nullptr) {
    fail(ErrorCode::chat_format, "the filter '{}' is not supported", printable(call.name, 40));
  }
  return filter(call);
}

namespace {

Value range(const Call& call) {
  constexpr int64_t kMost = 100'000;  // as in Jinja's sandbox
  const auto bound = call.bind({"start", "stop", "step"}, 1);
  const int64_t first = bound[1] ? call.integer(bound[0], 0) : 0;
  const int64_t last = call.integer(bound[1] ? bound[1] : bound[0], 0);
  const int64_t step = call.integer(bound[2], 1);
  if (step == 0) call.refuse("found the step 0");
  Values items;
  for (int64_t at = first; step > 0 ? at < last : at > last;) {
    if (static_cast<int64_t>(items.size()) == kMost) {
      call.refuse(fmt::format("found more than {} numbers", kMost));
    }
    items.emplace_back(at);
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  call.budget().spend(static_cast<int64_t>(items.size()));
  return make_list(std::move(items), ListKind::range);
}

/// The members of a dictionary, or pairs, and the keywords.
Dict members(const Call& call) {
  Dict dict;
  if (call.arguments.size() > 1) call.refuse("found several arguments, expected one");
  for (const Value& argument : call.arguments) {
    if (argument.dict() != nullptr) {
      for (const auto& [key, value] : argument.dict()->items()) dict.set(key, value);
      continue;
    }
    for (const Value& item : iterate(argument, call.budget())) {
      const Values pair = iterate(item, call.budget());
      if (pair.size() != 2) call.refuse("found no pair of a key and a value");
      dict.set(pair[0], pair[1]);
    }
  }
  for (const auto& [key, value] : call.keywords) dict.set(key, value);
  return dict;
}

Value make_dict(const Call& call) { return Value(members(call)); }

Value make_namespace(const Call& call) {
  Namespace& space = call.environment.spaces.emplace_back();
  const Dict dict = members(call);
  for (const auto& [key, value] : dict.items()) {
    space.parts[call.text(std::optional(key)).bytes()] = value;
  }
  return Value(&space);
}

Value raise_exception(const Call& call) {
  const auto bound = call.bind({"message"}, 1);
  fail("the template refuses this conversation: {}", printable(to_text(*bound[0]).bytes(), 300));
}

Value strftime_now(const Call& call) {
  const auto bound = call.bind({"format"}, 1);
  const Text& format = call.text(bound[0]);
  constexpr size_t kMostFormat = 256;
  if (format.bytes().size() > kMostFormat) call.refuse("found a format of more than 256 bytes");
  std::tm time{};
  localtime_r(&call.environment.now, &time);
  std::array<char, 8192> buffer{};
  const size_t size = std::strftime(buffer.data(), buffer.size(), format.bytes().c_str(), &time);
  const std::string_view text(buffer.data(), size);
  return Value(format.quoted().empty() ? Text(text) : Text::quote(text));
}

const std::map<std::string_view, Builtin>& functions() {
  static const std::map<std::string_view, Builtin> all{{"range", range},
                                                       {"dict", make_dict},
                                                       {"namespace", make_namespace},
                                                       {"raise_exception", raise_exception},
                                                       {"strftime_now", strftime_now}};
  return all;
}

}  // namespace

bool is_function(std::string_view name) { return functions().contains(name); }

Value call_function(const Call& call) { return functions().at(call.name)(call); }

}  // namespace unmask::jinja
