// One run of a template.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "io/template/builtins.h"
#include "io/template/syntax.h"

namespace unmask::jinja {

/// Names that were set; they end with the block.
struct Scope {
  Scope* outer = nullptr;
  std::vector<std::pair<std::string_view, Value>> names{};
};

class Evaluator {
 public:
  Evaluator(const Dict& data, std::time_t now) : data_(data) { environment_.now = now; }

  Text run(const Body& body);
  /// Of what is being run.
  int line() const { return line_; }

 private:
  static constexpr int kMostNested = 600;  // of expressions, blocks and macros

  enum class Flow : uint8_t { on, leave_loop, next_round };

  // Statements.
  Flow execute(const Body& body);
  Flow execute(const Statement& node);
  Flow execute_branches(const Statement& node);
  Flow execute_loop(const Statement& node);
  Flow execute_rounds(const Statement& node, Values items);
  Values items_of(const Statement& node);
  Flow execute_scope(const Statement& node);
  /// What a body prints, in a scope of its own.
  Flow capture(const Body& body, Text& printed);
  void assign(const Target& target, const Value& value);
  void set(std::string_view name, Value value);

  // Expressions.
  Value evaluate(const Expression& node);
  Value evaluate_name(const std::string& name);
  Value evaluate_list(const Expression& node, ListKind kind);
  Value evaluate_dict(const Expression& node);
  Value evaluate_operation(const Expression& node);
  Value evaluate_comparison(const Expression& node);
  Value evaluate_concatenation(const Expression& node);
  Value evaluate_call(const Expression& node);
  Value filter(const Expression& node, Value subject);
  Value filter_block(const Expression& node, Text printed);
  Value call_macro(const Macro& macro, const Call& call);
  Value or_none(const Expression* node) { return node ? evaluate(*node) : Value(); }
  Call call_of(const Expression& node, std::string name, Value subject);

  const Dict& data_;
  Environment environment_;
  Scope root_;
  Scope* scope_ = &root_;
  Text* out_ = nullptr;
  int depth_ = 0;
  int line_ = 1;
};

}  // namespace unmask::jinja
