// A parsed template: statements and expressions, all owned by the tree.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/template/value.h"

namespace unmask::jinja {

enum class ExpressionKind : uint8_t {
  constant,   // `value`
  name,       // `name`
  list,       // `children`
  tuple,      // `children`
  dict,       // `children`: key, value, key, value ...
  attribute,  // `children[0]`.`name`
  item,       // `children[0]`[`children[1]`]
  slice,      // `children[0]`[`children[1]`:`children[2]`:`children[3]`], each of them may be null
  call,       // `children[0]`(`children[1]` ..., `keywords`)
  filter,     // `children[0]` | `name`(`children[1]` ..., `keywords`); in filter blocks it is null
  test,       // `children[0]` is `name`(`children[1]` ..., `keywords`)
  negative,   // -`children[0]`
  positive,   // +`children[0]`
  logical_not,   // not `children[0]`
  logical_and,   // `children[0]` and `children[1]`
  logical_or,    // `children[0]` or `children[1]`
  conditional,   // `children[1]` if `children[0]` else `children[2]`, which may be null
  comparison,    // `children[0]` `operators[0]` `children[1]` `operators[1]` `children[2]` ...
  binary,        // `children[0]` `operators[0]` `children[1]`
  concatenation  // `children[0]` ~ `children[1]` ...
};

struct Expression {
  ExpressionKind kind = ExpressionKind::constant;
  int line = 1;
  std::string name{};
  Value value{};
  std::vector<const Expression*> children{};
  std::vector<std::string> operators{};
  std::vector<std::pair<std::string, const Expression*>> keywords{};
};

enum class StatementKind : uint8_t {
  text,          // `expression`, a constant
  print,         // `expression`
  branches,      // `branches`, then `otherwise`
  loop,          // for `target` in `expression` if `condition`: `body`, else `otherwise`
  assign,        // `target` = `expression`
  assign_block,  // `target` = what `body` prints, through `expression`, filters, where it is not
                 // null
  filter_block,  // what `body` prints, through `expression`
  macro,         // `macro`
  scope,         // `assignments`, then `body`, whose names end with it
  leave_loop,
  next_round
};

struct Statement;
using Body = std::vector<const Statement*>;

/// A place that something is assigned to: a name, a part of a namespace, or several places.
struct Target {
  std::string name{};
  std::string part{};             // of the namespace `name`; empty for a name
  std::vector<Target> several{};  // not empty: the value is unpacked
};

struct Macro {
  std::string name;
  int line = 1;
  std::vector<std::string> parameters;
  std::vector<const Expression*> defaults;  // of the last parameters
  Body body;
};

struct Statement {
  StatementKind kind = StatementKind::text;
  int line = 1;
  const Expression* expression = nullptr;
  const Expression* condition = nullptr;
  Target target{};
  std::vector<std::pair<Target, const Expression*>> assignments{};
  std::vector<std::pair<const Expression*, Body>> branches{};
  Body body{};
  Body otherwise{};
  Macro macro{};
};

/// Owns its nodes side by side, so that a deep one is not destroyed by recursion.
struct Tree {
  std::vector<std::unique_ptr<Expression>> expressions;
  std::vector<std::unique_ptr<Statement>> statements;
  Body body;
};

}  // namespace unmask::jinja
