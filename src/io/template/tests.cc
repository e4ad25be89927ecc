// What stands behind `is`.
#include <map>

#include "core/error.h"
#include "io/template/builtins.h"
#include "io/template/operators.h"
#include "io/template/print.h"

namespace unmask::jinja {

namespace {

using Test = bool (*)(const Call&);

const Value& operand(const Call& call) {
  if (call.arguments.size() != 1 || !call.keywords.empty()) call.refuse("expected one operand");
  return call.arguments[0];
}

bool leaves(const Call& call, const Value& divisor, int64_t rest) {
  const Value found = calculate("%", call.subject, divisor, call.budget());
  return equal(found, Value(rest), call.budget());
}

bool is_iterable(const Value& value) {
  return value.is_undefined() || value.text() || value.list() || value.dict();
}

bool has_items(const Value& value) {
  const List* list = value.list();
  const bool places = list && list->kind != ListKind::view && list->kind != ListKind::iterator;
  return value.is_undefined() || value.text() || value.dict() || places;
}

/// Whether there are letters, and all of them in this case.
template <Text (*in_case)(const Text&), Text (*other_case)(const Text&)>
bool has_case(const Call& call) {
  const Text text = to_text(call.subject);
  return in_case(text).bytes() == text.bytes() && other_case(text).bytes() != text.bytes();
}

bool is_same(const Call& call) {
  const Value& other = operand(call);
  const bool plain =
      call.subject.type() == other.type() && !call.subject.list() && !call.subject.dict();
  return plain && equal(call.subject, other, call.budget());
}

const std::map<std::string_view, Test>& type_tests() {
  using C = const Call&;
  static const std::map<std::string_view, Test> all{
      {"defined", [](C c) { return !c.subject.is_undefined(); }},
      {"undefined", [](C c) { return c.subject.is_undefined(); }},
      {"none", [](C c) { return c.subject.is_none(); }},
      {"boolean", [](C c) { return c.subject.boolean() != nullptr; }},
      {"true", [](C c) { return c.subject.boolean() && *c.subject.boolean(); }},
      {"false", [](C c) { return c.subject.boolean() && !*c.subject.boolean(); }},
      {"integer", [](C c) { return c.subject.integer() != nullptr; }},
      {"float", [](C c) { return c.subject.real() != nullptr; }},
      {"number", [](C c) { return c.subject.is_number(); }},
      {"string", [](C c) { return c.subject.text() != nullptr; }},
      {"mapping", [](C c) { return c.subject.dict() != nullptr; }},
      {"iterable", [](C c) { return is_iterable(c.subject); }},
      {"sequence", [](C c) { return has_items(c.subject); }},
      {"callable", [](C c) { return c.subject.callable() || c.subject.is_undefined(); }},
      {"upper", has_case<upper, lower>},
      {"lower", has_case<lower, upper>},
      {"odd", [](C c) { return leaves(c, Value(int64_t{2}), 1); }},
      {"even", [](C c) { return leaves(c, Value(int64_t{2}), 0); }}};
  return all;
}

const std::map<std::string_view, std::string_view>& comparisons() {
  static const std::map<std::string_view, std::string_view> all{
      {"eq", "=="}, {"equalto", "=="}, {"==", "=="},         {"ne", "!="},
      {"!=", "!="}, {"gt", ">"},       {"greaterthan", ">"}, {">", ">"},
      {"ge", ">="}, {">=", ">="},      {"lt", "<"},          {"lessthan", "<"},
      {"<", "<"},   {"le", "<="},      {"<=", "<="},         {"in", "in"}};
  return all;
}

}  // namespace

bool apply_test(const Call& call) {
  call.budget().spend(1);
  if (const auto found = comparisons().find(call.name); found != comparisons().end()) {
    return compare(found->second, call.subject, operand(call), call.budget());
  }
  if (call.name == "divisibleby") return leaves(call, operand(call), 0);
  if (call.name == "sameas") return is_same(call);
  const auto found = type_tests().find(call.name);
  if (found == type_tests().end()) {
    fail(ErrorCode::chat_format, "the test '{}' is not supported", printable(call.name, 40));
  }
  if (!call.arguments.empty()) call.refuse("it has no operand");
  return found->second(call);
}

}  // namespace unmask::jinja
