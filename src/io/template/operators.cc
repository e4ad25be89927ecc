#include "io/template/operators.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace unmask::jinja {

bool truth(const Value& value) {
  if (value.is_undefined() || value.is_none()) return false;
  if (const bool* flag = value.boolean()) return *flag;
  if (const int64_t* number = value.integer()) return *number != 0;
  if (const double* number = value.real()) return *number != 0;
  if (const Text* text = value.text()) return !text->empty();
  if (const Dict* dict = value.dict()) return !dict->items().empty();
  const List* list = value.list();
  return list == nullptr || list->kind == ListKind::iterator || !list->items.empty();
}

std::optional<double> as_real(const Value& value) {
  if (const double* number = value.real()) return *number;
  if (const auto number = as_integer(value)) return static_cast<double>(*number);
  return std::nullopt;
}

std::optional<int64_t> as_integer(const Value& value) {
  if (const int64_t* number = value.integer()) return *number;
  if (const bool* flag = value.boolean()) return *flag ? 1 : 0;
  return std::nullopt;
}

namespace {

bool equal_items(const Values& a, const Values& b, Budget& budget) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!equal(a[i], b[i], budget)) return false;
  }
  return true;
}

bool equal_dicts(const Dict& a, const Dict& b, Budget& budget) {
  if (a.items().size() != b.items().size()) return false;
  return std::all_of(a.items().begin(), a.items().end(), [&](const Dict::Item& item) {
    const Value* other = b.find(item.first);
    return other != nullptr && equal(item.second, *other, budget);
  });
}

[[noreturn]] void refuse_order(const Value& a, const Value& b) {
  fail(ErrorCode::chat_format, "found {} and {}, of which none is the smaller one", a.type(),
       b.type());
}

}  // namespace

bool equal(const Value& a, const Value& b, Budget& budget) {
  budget.spend(1 + std::min(a.cost(), b.cost()));
  if (as_integer(a) && as_integer(b)) return *as_integer(a) == *as_integer(b);
  if (a.is_number() && b.is_number()) return *as_real(a) == *as_real(b);
  if (a.text() && b.text()) return a.text()->bytes() == b.text()->bytes();
  if (const List* x = a.list(), *y = b.list(); x && y) {
    const bool places = x->kind != ListKind::view && x->kind != ListKind::iterator;
    return x == y || (places && x->kind == y->kind && equal_items(x->items, y->items, budget));
  }
  if (a.dict() && b.dict()) return equal_dicts(*a.dict(), *b.dict(), budget);
  if (a.space() || b.space()) return a.space() == b.space();
  return (a.is_none() && b.is_none()) || (a.is_undefined() && b.is_undefined());
}

bool less(const Value& a, const Value& b, Budget& budget) {
  budget.spend(1 + std::min(a.cost(), b.cost()));
  if (as_integer(a) && as_integer(b)) return *as_integer(a) < *as_integer(b);
  if (a.is_number() && b.is_number()) return *as_real(a) < *as_real(b);
  // The order of UTF-8 is that of code points.
  if (a.text() && b.text()) return a.text()->bytes() < b.text()->bytes();
  const List* x = a.list();
  const List* y = b.list();
  const bool ordered =
      x && y && x->kind == y->kind && (x->kind == ListKind::list || x->kind == ListKind::tuple);
  if (!ordered) refuse_order(a, b);
  for (size_t i = 0; i < std::min(x->items.size(), y->items.size()); ++i) {
    if (!equal(x->items[i], y->items[i], budget)) return less(x->items[i], y->items[i], budget);
  }
  return x->items.size() < y->items.size();
}

bool compare(std::string_view op, const Value& a, const Value& b, Budget& budget) {
  if (op == "==") return equal(a, b, budget);
  if (op == "!=") return !equal(a, b, budget);
  if (op == "in") return contains(b, a, budget);
  if (op == "not in") return !contains(b, a, budget);
  if (op == "<") return less(a, b, budget);
  if (op == ">") return less(b, a, budget);
  // Not a number is neither; otherwise one excludes the other.
  const bool numbers = a.is_number() && b.is_number();
  if (numbers && (std::isnan(*as_real(a)) || std::isnan(*as_real(b)))) return false;
  return op == "<=" ? !less(b, a, budget) : !less(a, b, budget);
}

bool contains(const Value& container, const Value& item, Budget& budget) {
  budget.spend(1 + container.cost());
  if (const Text* text = container.text()) {
    if (item.text() == nullptr) {
      fail(ErrorCode::chat_format, "found a {} before 'in' a text, expected a text", item.type());
    }
    return text->bytes().find(item.text()->bytes()) != std::string::npos;
  }
  if (const Dict* dict = container.dict()) return dict->find(item) != nullptr;
  const Values items = iterate(container, budget);
  return std::any_of(items.begin(), items.end(),
                     [&](const Value& other) { return equal(item, other, budget); });
}

Values iterate(const Value& value, Budget& budget) {
  budget.spend(1 + value.cost());
  if (value.is_undefined()) return {};
  if (const List* list = value.list()) return list->items;
  Values items;
  if (const Dict* dict = value.dict()) {
    for (const auto& [key, ignored] : dict->items()) items.push_back(key);
  } else if (const Text* text = value.text()) {
    budget.spend(static_cast<int64_t>(text->bytes().size()));
    Characters at(*text);
    while (at.next()) items.emplace_back(text->part(at.begin(), at.end()));
  } else {
    fail(ErrorCode::chat_format, "found a {}, expected something to iterate over", value.type());
  }
  return items;
}

int64_t length(const Value& value) {
  if (value.is_undefined()) return 0;
  if (const Text* text = value.text()) return length(*text);
  if (const Dict* dict = value.dict()) return static_cast<int64_t>(dict->items().size());
  const List* list = value.list();
  if (list == nullptr || list->kind == ListKind::iterator) {
    fail(ErrorCode::chat_format, "found a {}, expected something with a length", value.type());
  }
  return static_cast<int64_t>(list->items.size());
}

namespace {

bool has_places(const List* list) {
  return list != nullptr && list->kind != ListKind::view && list->kind != ListKind::iterator;
}

Value no_item(const Value& value, const std::string& key) {
  return Value::undefined(fmt::format("a {} has no part {}", value.type(), printable(key, 60)));
}

}  // namespace

Value item(const Value& value, const Value& key) {
  if (value.is_undefined()) fail(ErrorCode::chat_format, "{}", value.why_undefined());
  if (const Dict* dict = value.dict()) {
    const bool hashable =
        key.dict() == nullptr && (key.list() == nullptr || has_places(key.list()));
    const Value* found = hashable ? dict->find(key) : nullptr;
    if (found != nullptr) return *found;
    return no_item(value, key.text() ? "'" + key.text()->bytes() + "'" : std::string(key.type()));
  }
  const auto at = as_integer(key);
  if (!at)
    return no_item(value, key.text() ? "'" + key.text()->bytes() + "'" : std::string(key.type()));
  const Text* text = value.text();
  if (text == nullptr && !has_places(value.list())) return no_item(value, std::to_string(*at));
  const int64_t count = length(value);
  const int64_t place = *at < 0 ? *at + count : *at;
  if (place < 0 || place >= count) return no_item(value, std::to_string(*at));
  const auto index = static_cast<size_t>(place);
  if (text == nullptr) return value.list()->items[index];
  const std::vector<size_t> offsets = character_offsets(*text);
  return Value(text->part(offsets[index], offsets[index + 1]));
}

Value slice(const Value& value, const Value& first, const Value& last, const Value& step) {
  if (value.is_undefined()) fail(ErrorCode::chat_format, "{}", value.why_undefined());
  const Text* text = value.text();
  if (text == nullptr && !has_places(value.list())) {
    fail(ErrorCode::chat_format, "found a slice of a {}", value.type());
  }
  const auto bound = [](const Value& of) {
    if (!of.is_none() && !as_integer(of)) {
      fail(ErrorCode::chat_format, "found a {} in a slice, expected an integer", of.type());
    }
    return as_integer(of);
  };
  const int64_t by = bound(step).value_or(1);
  if (by == 0) fail(ErrorCode::chat_format, "found a slice with step 0");
  const int64_t count = length(value);
  const int64_t low = by > 0 ? 0 : -1;
  const int64_t high = by > 0 ? count : count - 1;
  const auto place = [&](std::optional<int64_t> at, int64_t absent) {
    if (!at) return absent;
    return std::clamp(*at < 0 ? *at + count : *at, low, high);
  };
  const int64_t begin = place(bound(first), by > 0 ? low : high);
  const int64_t end = place(bound(last), by > 0 ? high : low);
  std::vector<size_t> places;
  const auto inside = [&](int64_t at) { return by > 0 ? at < end : at > end; };
  for (int64_t at = begin; inside(at);) {
    places.push_back(static_cast<size_t>(at));
    if (by > 0 ? by >= end - at : by <= end - at) break;  // the next one, without overflow
    at += by;
  }
  if (text == nullptr) {
    Values items;
    for (const size_t at : places) items.push_back(value.list()->items[at]);
    return make_list(std::move(items), value.list()->kind);
  }
  const std::vector<size_t> offsets = character_offsets(*text);
  Text part;
  for (const size_t at : places) part.append(*text, offsets[at], offsets[at + 1]);
  return Value(std::move(part));
}

}  // namespace unmask::jinja
