#include "io/template/value.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"

namespace unmask::jinja {

namespace {

constexpr int kMaxDepth = 100;

int checked_depth(int inner) {
  if (inner >= kMaxDepth) {
    fail(ErrorCode::chat_format, "lists and dictionaries of more than {} levels", kMaxDepth);
  }
  return inner + 1;
}

}  // namespace

void Budget::spend(int64_t steps) {
  left_ -= steps;
  if (left_ < 0) fail(ErrorCode::chat_format, "it takes more than {} steps", kSteps);
}

Value::Value(Dict dict) : variant_(std::make_shared<const Dict>(std::move(dict))) {}
Value::Value(Callable callable) : variant_(std::make_shared<const Callable>(std::move(callable))) {}

Value Value::undefined(std::string what) {
  Value value;
  value.variant_ = Undefined{std::make_shared<const std::string>(std::move(what))};
  return value;
}

Namespace* Value::space() const {
  Namespace* const* space = std::get_if<Namespace*>(&variant_);
  return space == nullptr ? nullptr : *space;
}

std::string_view Value::type() const {
  if (const List* items = list()) {
    constexpr std::array<std::string_view, 5> kNames{"list", "tuple", "range", "view", "generator"};
    return kNames[static_cast<size_t>(items->kind)];
  }
  constexpr std::array<std::string_view, 11> kNames{"undefined", "None",     "bool",       "int",
                                                    "float",     "str",      "list",       "dict",
                                                    "namespace", "function", "LoopContext"};
  return kNames[variant_.index()];
}

int Value::depth() const {
  if (const List* items = list()) return items->depth;
  if (const Dict* items = dict()) return items->depth();
  if (const LoopState* state = loop()) return state->items->depth + 1;
  if (const Callable* function = callable()) return function->self.depth();
  return 0;
}

const std::string& Value::why_undefined() const { return *std::get<Undefined>(variant_).what; }

int64_t Value::cost() const {
  constexpr size_t kBytesAStep = 64;
  if (const Text* value = text()) return static_cast<int64_t>(value->bytes().size() / kBytesAStep);
  if (const List* value = list()) return static_cast<int64_t>(value->items.size());
  if (const Dict* value = dict()) return static_cast<int64_t>(value->items().size());
  return 0;
}

Value make_list(Values items, ListKind kind) {
  int inner = 0;
  for (const Value& item : items) inner = std::max(inner, item.depth());
  return Value(std::make_shared<const List>(List{kind, std::move(items), checked_depth(inner)}));
}

const Value* Dict::find(const Value& key) const {
  const auto found = places_.find(hash_key(key));
  return found == places_.end() ? nullptr : &items_[found->second].second;
}

const Value* Dict::find(std::string_view key) const {
  const auto found = places_.find('s' + std::string(key));
  return found == places_.end() ? nullptr : &items_[found->second].second;
}

void Dict::set(const Value& key, Value value) {
  depth_ = std::max(depth_, checked_depth(std::max(key.depth(), value.depth())));
  const auto [place, fresh] = places_.emplace(hash_key(key), items_.size());
  if (fresh) {
    items_.emplace_back(key, std::move(value));
  } else {
    items_[place->second].second = std::move(value);
  }
}

std::string hash_key(const Value& value) {
  constexpr size_t kMaxBytes = size_t{1} << 20;
  if (const Text* text = value.text()) return 's' + text->bytes();
  if (const bool* flag = value.boolean()) return *flag ? "n1" : "n0";
  if (const int64_t* number = value.integer()) return 'n' + std::to_string(*number);
  if (const double* number = value.real()) {
    const bool whole = std::trunc(*number) == *number && std::abs(*number) < 9.2e18;
    return whole ? 'n' + std::to_string(static_cast<int64_t>(*number))
                 : fmt::format("f{}", *number);
  }
  if (value.is_none()) return "N";
  if (value.is_undefined()) return "U";
  const List* list = value.list();
  if (list != nullptr && list->kind == ListKind::tuple) {
    std::string key = "t";
    for (const Value& item : list->items) {
      const std::string part = hash_key(item);
      key += fmt::format("{}:{}", part.size(), part);
      if (key.size() > kMaxBytes) fail(ErrorCode::chat_format, "a key of more than 1 MiB");
    }
    return key;
  }
  fail(ErrorCode::chat_format, "found a {} as a key, expected a text or a number", value.type());
}

}  // namespace unmask::jinja
