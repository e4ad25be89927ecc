// The parts of values by name, as transformers' sandbox lets templates see them.
#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/parse_number.h"
#include "io/template/builtins.h"
#include "io/template/operators.h"

namespace unmask::jinja {

namespace {

constexpr std::array<std::string_view, 8> kChangeLists{"append", "clear",  "extend",  "insert",
                                                       "pop",    "remove", "reverse", "sort"};
constexpr std::array<std::string_view, 5> kChangeDicts{"clear", "pop", "popitem", "setdefault",
                                                       "update"};

Value no_attribute(const Value& value, std::string_view name) {
  return Value::undefined(fmt::format("a {} has no '{}'", value.type(), printable(name, 60)));
}

Value loop_attribute(const Value& value, std::string_view name) {
  const LoopState& loop = *value.loop();
  const auto count = static_cast<int64_t>(loop.items->items.size());
  const int64_t at = loop.index0;
  const auto item = [&](int64_t index, std::string_view what) {
    if (index < 0 || index >= count)
      return Value::undefined(fmt::format("there is no {} item", what));
    return loop.items->items[static_cast<size_t>(index)];
  };
  if (name == "index") return Value(at + 1);
  if (name == "index0") return Value(at);
  if (name == "revindex") return Value(count - at);
  if (name == "revindex0") return Value(count - at - 1);
  if (name == "first") return Value(at == 0);
  if (name == "last") return Value(at + 1 == count);
  if (name == "length") return Value(count);
  if (name == "depth") return Value(int64_t{1});
  if (name == "depth0") return Value(int64_t{0});
  if (name == "previtem") return item(at - 1, "previous");
  if (name == "nextitem") return item(at + 1, "next");
  if (name == "cycle") return Value(Callable{"cycle", value, nullptr, true});
  return no_attribute(value, name);
}

/// A method of the value; undefined for none, and for those that would change it.
Value method(const Value& value, std::string_view name) {
  const List* list = value.list();
  const bool plain = list && (list->kind == ListKind::list || list->kind == ListKind::tuple);
  const Builtin found = value.text()   ? find_text_method(name)
                        : value.dict() ? find_dict_method(name)
                        : plain        ? find_list_method(name)
                                       : nullptr;
  if (found != nullptr) return Value(Callable{std::string(name), value, nullptr, true});
  return no_attribute(value, name);
}

bool changes(const Value& value, std::string_view name) {
  const auto is_in = [&](const auto& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (value.dict() != nullptr) return is_in(kChangeDicts);
  return value.list() != nullptr && value.list()->kind == ListKind::list && is_in(kChangeLists);
}

}  // namespace

Value attribute(const Value& value, std::string_view name) {
  if (value.is_undefined()) fail(ErrorCode::chat_format, "{}", value.why_undefined());
  if (const Namespace* space = value.space()) {
    const auto found = space->parts.find(std::string(name));
    return found == space->parts.end() ? no_attribute(value, name) : found->second;
  }
  if (value.loop() != nullptr) return loop_attribute(value, name);
  if (changes(value, name)) {
    return Value::undefined(
        fmt::format("'{}' would change a {}, which templates must not do", name, value.type()));
  }
  Value found = method(value, name);
  if (!found.is_undefined() || value.dict() == nullptr) return found;
  const Value* part = value.dict()->find(name);
  return part == nullptr ? found : *part;
}

Value part(const Value& value, const Value& key) {
  Value found = item(value, key);
  if (!found.is_undefined() || key.text() == nullptr) return found;
  const bool has_key = value.dict() != nullptr && value.dict()->find(key) != nullptr;
  return has_key ? found : attribute(value, key.text()->bytes());
}

Value part_at_path(Value value, const Value& path, const std::optional<Value>& absent) {
  const auto found = [&](const Value& key) {
    Value inner = part(value, key);
    return inner.is_undefined() && absent ? *absent : inner;
  };
  if (path.text() == nullptr) return found(path);
  const std::string& names = path.text()->bytes();
  for (size_t begin = 0; begin <= names.size();) {
    const size_t end = std::min(names.find('.', begin), names.size());
    const std::string name = names.substr(begin, end - begin);
    const auto place = name.starts_with('-') ? std::nullopt : parse_number<int64_t>(name);
    value = found(place ? Value(*place) : Value(name));
    begin = end + 1;
  }
  return value;
}

}  // namespace unmask::jinja
