// Filters that look at lists and dictionaries.
#include <algorithm>
#include <map>
#include <unordered_set>

#include "core/error.h"
#include "io/template/builtins.h"
#include "io/template/operators.h"
#include "io/template/print.h"

namespace unmask::jinja {

namespace {

Value length_of(const Call& call) {
  call.bind({});
  return Value(length(call.subject));
}

/// As an iterator that ends: a list of keys for a dictionary, and nothing for what has no order.
Value first(const Call& call) {
  call.bind({});
  const Values items = iterate(call.subject, call.budget());
  return items.empty() ? Value::undefined("an empty sequence has no first item") : items.front();
}

Value last(const Call& call) {
  call.bind({});
  const List* list = call.subject.list();
  if (list != nullptr && list->kind == ListKind::iterator) call.refuse("found a generator");
  const Values items = iterate(call.subject, call.budget());
  return items.empty() ? Value::undefined("an empty sequence has no last item") : items.back();
}

Value join_items(const Call& call) {
  const auto bound = call.bind({"d", "attribute"});
  const Text between = bound[0] ? to_text(*bound[0]) : Text();
  std::vector<Text> parts;
  for (const Value& item : iterate(call.subject, call.budget())) {
    parts.push_back(to_text(bound[1] ? part_at_path(item, *bound[1]) : item));
  }
  return Value(join(parts, between));
}

Value fallback(const Call& call) {
  const auto bound = call.bind({"default_value", "boolean"});
  const bool takes =
      call.subject.is_undefined() || (bound[1] && truth(*bound[1]) && !truth(call.subject));
  return takes ? bound[0].value_or(Value("")) : call.subject;
}

Value as_list(const Call& call) {
  call.bind({});
  return make_list(iterate(call.subject, call.budget()));
}

Values pairs_of(const Dict& dict) {
  Values pairs;
  for (const auto& [key, value] : dict.items()) {
    pairs.push_back(make_list({key, value}, ListKind::tuple));
  }
  return pairs;
}

Value item_pairs(const Call& call) {
  call.bind({});
  if (call.subject.is_undefined()) return make_list({}, ListKind::iterator);
  if (call.subject.dict() == nullptr) {
    call.refuse(fmt::format("found a {}, expected a dict", call.subject.type()));
  }
  return make_list(pairs_of(*call.subject.dict()), ListKind::iterator);
}

Value reverse(const Call& call) {
  call.bind({});
  Values items = iterate(call.subject, call.budget());
  std::reverse(items.begin(), items.end());
  if (call.subject.text() == nullptr) return make_list(std::move(items), ListKind::iterator);
  Text out;
  for (const Value& character : items) out.append(*character.text());
  return Value(std::move(out));
}

/// Texts compare without their case, unless it counts.
Value sort_key(const Value& value, bool case_sensitive) {
  return value.text() && !case_sensitive ? Value(lower(*value.text())) : value;
}

/// `items` in the order of `keys`, which keeps equal ones as they are.
Values sorted(const Values& items, const Values& keys, bool backwards, Budget& budget) {
  std::vector<size_t> order(items.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return backwards ? less(keys[b], keys[a], budget) : less(keys[a], keys[b], budget);
  });
  Values out;
  for (const size_t at : order) out.push_back(items[at]);
  return out;
}

Value sort(const Call& call) {
  const auto bound = call.bind({"reverse", "case_sensitive", "attribute"});
  const bool case_sensitive = bound[1] && truth(*bound[1]);
  const Values items = iterate(call.subject, call.budget());
  Values keys;
  for (const Value& item : items) {
    keys.push_back(sort_key(bound[2] ? part_at_path(item, *bound[2]) : item, case_sensitive));
  }
  return make_list(sorted(items, keys, bound[0] && truth(*bound[0]), call.budget()));
}

Value sort_dict(const Call& call) {
  const auto bound = call.bind({"case_sensitive", "by", "reverse"});
  const std::string by = bound[1] ? call.text(bound[1]).bytes() : "key";
  if (by != "key" && by != "value") call.refuse("expected by='key' or by='value'");
  if (call.subject.dict() == nullptr) call.refuse("expected a dict");
  const bool case_sensitive = bound[0] && truth(*bound[0]);
  Values keys;
  for (const auto& [key, value] : call.subject.dict()->items()) {
    keys.push_back(sort_key(by == "key" ? key : value, case_sensitive));
  }
  const bool backwards = bound[2] && truth(*bound[2]);
  return make_list(sorted(pairs_of(*call.subject.dict()), keys, backwards, call.budget()));
}

Value unique(const Call& call) {
  const auto bound = call.bind({"case_sensitive", "attribute"});
  std::unordered_set<std::string> seen;
  Values out;
  for (const Value& item : iterate(call.subject, call.budget())) {
    const Value of = bound[1] ? part_at_path(item, *bound[1]) : item;
    if (seen.insert(hash_key(sort_key(of, bound[0] && truth(*bound[0])))).second) {
      out.push_back(item);
    }
  }
  return make_list(std::move(out), ListKind::iterator);
}

/// A call of the filter or test that an argument names, with the arguments behind it.
Call inner_call(const Call& call, size_t at) {
  Call inner{call.text(std::optional(call.arguments[at])).bytes(), call.environment};
  inner.arguments.assign(call.arguments.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                         call.arguments.end());
  inner.keywords = call.keywords;
  return inner;
}

Value map_items(const Call& call) {
  Values out;
  const Values items = iterate(call.subject, call.budget());
  if (call.arguments.empty()) {
    const auto bound = call.bind({"attribute", "default"}, 1);
    const bool given = bound[1] && !bound[1]->is_none();
    for (const Value& item : items) {
      out.push_back(part_at_path(item, *bound[0], given ? bound[1] : std::nullopt));
    }
  } else {
    Call inner = inner_call(call, 0);
    for (const Value& item : items) {
      inner.subject = item;
      out.push_back(apply_filter(inner));
    }
  }
  return make_list(std::move(out), ListKind::iterator);
}

/// The items whose value, or whose part, passes a test or not.
template <bool wanted, bool by_part>
Value select(const Call& call) {
  constexpr size_t kTestAt = by_part ? 1 : 0;
  if (by_part && call.arguments.empty()) call.refuse("it needs the name of a part");
  std::optional<Call> test;
  if (call.arguments.size() > kTestAt) test.emplace(inner_call(call, kTestAt));
  Values out;
  for (const Value& item : iterate(call.subject, call.budget())) {
    Value of = by_part ? part_at_path(item, call.arguments[0]) : item;
    bool passes = false;
    if (test) {
      test->subject = std::move(of);
      passes = apply_test(*test);
    } else {
      passes = truth(of);
    }
    if (passes == wanted) out.push_back(item);
  }
  return make_list(std::move(out), ListKind::iterator);
}

Value batch(const Call& call) {
  const auto bound = call.bind({"linecount", "fill_with"}, 1);
  const auto size =
      static_cast<size_t>(std::clamp<int64_t>(call.integer(bound[0], 1), 1, 1'000'000));
  Values rows;
  Values row;
  for (const Value& item : iterate(call.subject, call.budget())) {
    if (row.size() == size) rows.push_back(make_list(std::exchange(row, {})));
    row.push_back(item);
  }
  if (!row.empty()) {
    const bool fills = bound[1] && !bound[1]->is_none() && row.size() < size;
    if (fills) row.resize(size, *bound[1]);
    call.budget().spend(static_cast<int64_t>(row.size()));
    rows.push_back(make_list(std::move(row)));
  }
  return make_list(std::move(rows), ListKind::iterator);
}

}  // namespace

Builtin find_list_filter(std::string_view name) {
  static const std::map<std::string_view, Builtin> all{{"length", length_of},
                                                       {"count", length_of},
                                                       {"first", first},
                                                       {"last", last},
                                                       {"join", join_items},
                                                       {"default", fallback},
                                                       {"d", fallback},
                                                       {"list", as_list},
                                                       {"items", item_pairs},
                                                       {"reverse", reverse},
                                                       {"sort", sort},
                                                       {"dictsort", sort_dict},
                                                       {"unique", unique},
                                                       {"map", map_items},
                                                       {"select", select<true, false>},
                                                       {"reject", select<false, false>},
                                                       {"selectattr", select<true, true>},
                                                       {"rejectattr", select<false, true>},
                                                       {"batch", batch}};
  const auto found = all.find(name);
  return found == all.end() ? nullptr : found->second;
}

}  // namespace unmask::jinja
