// Methods of lists and dictionaries; those of texts have their own file.
#include <map>

#include "io/template/builtins.h"
#include "io/template/operators.h"

namespace unmask::jinja {

namespace {

Value get(const Call& call) {
  const auto bound = call.bind({"key", "default"}, 1);
  const Value* found = call.subject.dict()->find(*bound[0]);
  return found != nullptr ? *found : bound[1].value_or(Value());
}

/// Views of pairs, keys or values.
Value views_of_items(const Call& call) {
  call.bind({});
  Values pairs;
  for (const auto& [key, value] : call.subject.dict()->items()) {
    pairs.push_back(make_list({key, value}, ListKind::tuple));
  }
  return make_list(std::move(pairs), ListKind::view);
}

Value keys(const Call& call) {
  call.bind({});
  return make_list(iterate(call.subject, call.budget()), ListKind::view);
}

Value values(const Call& call) {
  call.bind({});
  Values all;
  for (const auto& [key, value] : call.subject.dict()->items()) all.push_back(value);
  return make_list(std::move(all), ListKind::view);
}

Value copy(const Call& call) {
  call.bind({});
  return call.subject;  // nothing can change it
}

Value count_of(const Call& call) {
  const auto bound = call.bind({"value"}, 1);
  int64_t found = 0;
  for (const Value& item : call.subject.list()->items) {
    found += equal(item, *bound[0], call.budget()) ? 1 : 0;
  }
  return Value(found);
}

Value index(const Call& call) {
  const auto bound = call.bind({"value"}, 1);
  const Values& items = call.subject.list()->items;
  for (size_t i = 0; i < items.size(); ++i) {
    if (equal(items[i], *bound[0], call.budget())) return Value(static_cast<int64_t>(i));
  }
  call.refuse("found no such item");
}

Builtin find_in(const std::map<std::string_view, Builtin>& methods, std::string_view name) {
  const auto found = methods.find(name);
  return found == methods.end() ? nullptr : found->second;
}

Value cycle(const Call& call) {
  if (call.arguments.empty()) call.refuse("expected at least one item");
  const auto round = static_cast<size_t>(call.subject.loop()->index0);
  return call.arguments[round % call.arguments.size()];
}

}  // namespace

Builtin find_dict_method(std::string_view name) {
  static const std::map<std::string_view, Builtin> methods{
      {"get", get}, {"items", views_of_items}, {"keys", keys}, {"values", values}, {"copy", copy}};
  return find_in(methods, name);
}

Builtin find_list_method(std::string_view name) {
  static const std::map<std::string_view, Builtin> methods{
      {"count", count_of}, {"index", index}, {"copy", copy}};
  return find_in(methods, name);
}

Value call_method(const Call& call) {
  call.budget().spend(1 + call.subject.cost());
  if (call.subject.loop() != nullptr) return cycle(call);
  const Builtin method = call.subject.text()   ? find_text_method(call.name)
                         : call.subject.dict() ? find_dict_method(call.name)
                                               : find_list_method(call.name);
  return method(call);
}

}  // namespace unmask::jinja
