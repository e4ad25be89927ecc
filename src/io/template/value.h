// What a template computes with: the values of Python that Jinja templates see.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "io/template/text.h"

namespace unmask::jinja {

class Value;
class Dict;
struct List;
struct Callable;
struct Macro;
struct LoopState;
class Namespace;

/// Counts work, so that a template ends. Throws Error when there was too much.
class Budget {
 public:
  static constexpr int64_t kSteps = 10'000'000;
  void spend(int64_t steps);

 private:
  int64_t left_ = kSteps;
};

/// A name that means nothing; it prints as nothing, and to ask it for a part is an error.
struct Undefined {
  std::shared_ptr<const std::string> what{};  // "'name' is undefined"
};
struct None {};

class Value {
 public:
  using Variant = std::variant<Undefined, None, bool, int64_t, double, std::shared_ptr<const Text>,
                               std::shared_ptr<const List>, std::shared_ptr<const Dict>, Namespace*,
                               std::shared_ptr<const Callable>, std::shared_ptr<const LoopState>>;

  Value() : variant_(None{}) {}
  explicit Value(bool value) : variant_(value) {}
  explicit Value(int64_t value) : variant_(value) {}
  explicit Value(double value) : variant_(value) {}
  explicit Value(Text text) : variant_(std::make_shared<const Text>(std::move(text))) {}
  explicit Value(std::string_view open) : Value(Text(open)) {}
  explicit Value(const char* open) : Value(Text(open)) {}  // else it would be a bool
  explicit Value(Dict dict);
  explicit Value(Callable callable);
  explicit Value(Namespace* space) : variant_(space) {}
  explicit Value(std::shared_ptr<const LoopState> loop) : variant_(std::move(loop)) {}
  explicit Value(std::shared_ptr<const List> list) : variant_(std::move(list)) {}
  static Value undefined(std::string what);

  bool is_undefined() const { return std::holds_alternative<Undefined>(variant_); }
  bool is_none() const { return std::holds_alternative<None>(variant_); }
  /// Pointers to what is in it, null when it is something else.
  const bool* boolean() const { return std::get_if<bool>(&variant_); }
  const int64_t* integer() const { return std::get_if<int64_t>(&variant_); }
  const double* real() const { return std::get_if<double>(&variant_); }
  const Text* text() const { return shared<Text>(); }
  const List* list() const { return shared<List>(); }
  const Dict* dict() const { return shared<Dict>(); }
  const Callable* callable() const { return shared<Callable>(); }
  const LoopState* loop() const { return shared<LoopState>(); }
  Namespace* space() const;
  bool is_number() const { return boolean() || integer() || real(); }

  /// What Python calls its type.
  std::string_view type() const;
  /// Levels of lists and dictionaries in it.
  int depth() const;
  /// What was undefined, as an error says it.
  const std::string& why_undefined() const;
  /// What looking at all of it costs.
  int64_t cost() const;

 private:
  template <typename T>
  const T* shared() const {
    const auto* pointer = std::get_if<std::shared_ptr<const T>>(&variant_);
    return pointer == nullptr ? nullptr : pointer->get();
  }
  Variant variant_;
};

using Values = std::vector<Value>;

/// What can be iterated over. Views (dict.items) have a length but no places; what filters such as
/// map give has neither.
enum class ListKind : uint8_t { list, tuple, range, view, iterator };

struct List {
  ListKind kind = ListKind::list;
  Values items;
  int depth = 1;
};

/// Throws Error beyond 100 levels.
Value make_list(Values items, ListKind kind = ListKind::list);

/// Keys in the order in which they came.
class Dict {
 public:
  using Item = std::pair<Value, Value>;

  /// Null when there is none. Throws Error for a key that cannot be one, such as a list.
  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;
  /// Replaces the value of a key that is there already. Throws Error beyond 100 levels.
  void set(const Value& key, Value value);
  void set(std::string_view key, Value value) { set(Value(key), std::move(value)); }
  const std::vector<Item>& items() const { return items_; }
  int depth() const { return depth_; }

 private:
  std::vector<Item> items_;
  std::unordered_map<std::string, size_t> places_;  // by hash_key()
  int depth_ = 1;
};

/// Equal for values that are equal as keys (1, 1.0 and true are). Throws Error for what has no
/// hash.
std::string hash_key(const Value& value);

/// What `namespace()` makes: the one thing whose parts can be set.
class Namespace {
 public:
  std::unordered_map<std::string, Value> parts;
};

/// A function, a method of a value, or a macro.
struct Callable {
  std::string name;
  Value self{};
  const Macro* macro = nullptr;
  bool method = false;
};

/// What `loop` is in a loop.
struct LoopState {
  std::shared_ptr<const List> items;
  int64_t index0 = 0;
};

}  // namespace unmask::jinja
