// Methods of texts, as Python's str has them.
#include <algorithm>
#include <map>

#include "core/error.h"
#include "io/template/builtins.h"
#include "io/template/operators.h"
#include "io/template/print.h"

namespace unmask::jinja {

namespace {

const Text& self(const Call& call) { return *call.subject.text(); }

template <Text (*function)(const Text&)>
Value mapped_self(const Call& call) {
  call.bind({});
  return Value(function(self(call)));
}

/// An argument that may be none.
const Text* optional_text(const Call& call, const std::optional<Value>& argument) {
  return !argument || argument->is_none() ? nullptr : &call.text(argument);
}

template <Side side>
Value stripped(const Call& call) {
  const auto bound = call.bind({"chars"});
  return Value(strip(self(call), optional_text(call, bound[0]), side));
}

Value list_of(std::vector<Text> parts, ListKind kind = ListKind::list) {
  Values items;
  for (Text& part : parts) items.emplace_back(std::move(part));
  return make_list(std::move(items), kind);
}

template <Side from>
Value parts(const Call& call) {
  const auto bound = call.bind({"sep", "maxsplit"});
  return list_of(
      split(self(call), optional_text(call, bound[0]), call.integer(bound[1], -1), from));
}

template <Side from>
Value partition(const Call& call) {
  const auto bound = call.bind({"sep"}, 1);
  const Text& separator = call.text(bound[0]);
  const std::vector<Text> around = split(self(call), &separator, 1, from);
  if (around.size() == 2) {
    // The middle is that of the text: it may be a marker that somebody wrote.
    const size_t begin = around[0].bytes().size();
    const Text middle = self(call).part(begin, begin + separator.bytes().size());
    return list_of({around[0], middle, around[1]}, ListKind::tuple);
  }
  if (from == Side::right) return list_of({Text(), Text(), self(call)}, ListKind::tuple);
  return list_of({self(call), Text(), Text()}, ListKind::tuple);
}

Value lines(const Call& call) {
  const auto bound = call.bind({"keepends"});
  return list_of(split_lines(self(call), bound[0] && truth(*bound[0])));
}

/// The part of the text that `start` and `end` leave.
Text between(const Call& call, const std::optional<Value>& start, const std::optional<Value>& end) {
  return *slice(call.subject, start.value_or(Value()), end.value_or(Value()), Value()).text();
}

template <bool at_end>
Value begins_or_ends(const Call& call) {
  const auto bound = call.bind({"prefix", "start", "end"}, 1);
  const Text text = between(call, bound[1], bound[2]);
  const auto fits = [&](const Value& part) {
    const std::string& bytes = call.text(std::optional(part)).bytes();
    return at_end ? text.bytes().ends_with(bytes) : text.bytes().starts_with(bytes);
  };
  const List* several = bound[0]->list();
  if (several == nullptr || several->kind != ListKind::tuple) return Value(fits(*bound[0]));
  return Value(std::any_of(several->items.begin(), several->items.end(), fits));
}

/// Where a text begins, in characters; -1 for nowhere.
template <bool from_right>
int64_t place_of(const Call& call) {
  const auto bound = call.bind({"sub", "start", "end"}, 1);
  const Text text = between(call, bound[1], bound[2]);
  const std::string& sub = call.text(bound[0]).bytes();
  const size_t at = from_right ? text.bytes().rfind(sub) : text.bytes().find(sub);
  if (at == std::string::npos) return -1;
  const int64_t count = length(self(call));
  int64_t before = call.integer(bound[1] && !bound[1]->is_none() ? bound[1] : std::nullopt, 0);
  if (before > count) return -1;  // even an empty text
  if (before < 0) before = std::max<int64_t>(before + count, 0);
  return before + length(text.part(0, at));
}

template <bool from_right, bool must_be>
Value find(const Call& call) {
  const int64_t at = place_of<from_right>(call);
  if (must_be && at < 0) call.refuse("found no such text");
  return Value(at);
}

Value count_text(const Call& call) {
  const auto bound = call.bind({"sub", "start", "end"}, 1);
  const Text text = between(call, bound[1], bound[2]);
  const std::string& sub = call.text(bound[0]).bytes();
  if (sub.empty()) return Value(length(text) + 1);
  int64_t found = 0;
  for (size_t at = text.bytes().find(sub); at != std::string::npos;
       at = text.bytes().find(sub, at + sub.size())) {
    ++found;
  }
  return Value(found);
}

Value replaced(const Call& call) {
  const auto bound = call.bind({"old", "new", "count"}, 2);
  return Value(
      replace(self(call), call.text(bound[0]), call.text(bound[1]), call.integer(bound[2], -1)));
}

Value joined(const Call& call) {
  const auto bound = call.bind({"iterable"}, 1);
  std::vector<Text> parts;
  for (const Value& item : iterate(*bound[0], call.budget())) {
    parts.push_back(call.text(std::optional(item)));
  }
  return Value(join(parts, self(call)));
}

template <bool at_end>
Value without(const Call& call) {
  const auto bound = call.bind({"affix"}, 1);
  const Text& text = self(call);
  const std::string& affix = call.text(bound[0]).bytes();
  const size_t size = text.bytes().size();
  if (at_end && text.bytes().ends_with(affix)) return Value(text.part(0, size - affix.size()));
  if (!at_end && text.bytes().starts_with(affix)) return Value(text.part(affix.size(), size));
  return call.subject;
}

Value brace_format(const Call& call) { return Value(format_braces(call)); }

/// Whether all characters, at least one, are of a kind.
template <bool (*kind)(char32_t)>
Value all_are(const Call& call) {
  call.bind({});
  Characters at(self(call));
  while (at.next()) {
    if (!kind(at.code_point())) return Value(false);
  }
  return Value(!self(call).empty());
}

}  // namespace

Builtin find_text_method(std::string_view name) {
  static const std::map<std::string_view, Builtin> methods{{"strip", stripped<Side::both>},
                                                           {"lstrip", stripped<Side::left>},
                                                           {"rstrip", stripped<Side::right>},
                                                           {"split", parts<Side::left>},
                                                           {"rsplit", parts<Side::right>},
                                                           {"partition", partition<Side::left>},
                                                           {"rpartition", partition<Side::right>},
                                                           {"splitlines", lines},
                                                           {"startswith", begins_or_ends<false>},
                                                           {"endswith", begins_or_ends<true>},
                                                           {"find", find<false, false>},
                                                           {"rfind", find<true, false>},
                                                           {"index", find<false, true>},
                                                           {"rindex", find<true, true>},
                                                           {"count", count_text},
                                                           {"replace", replaced},
                                                           {"join", joined},
                                                           {"removeprefix", without<false>},
                                                           {"removesuffix", without<true>},
                                                           {"format", brace_format},
                                                           {"upper", mapped_self<upper>},
                                                           {"lower", mapped_self<lower>},
                                                           {"title", mapped_self<title>},
                                                           {"capitalize", mapped_self<capitalize>},
                                                           {"isspace", all_are<is_space>}};
  const auto found = methods.find(name);
  return found == methods.end() ? nullptr : found->second;
}

}  // namespace unmask::jinja
