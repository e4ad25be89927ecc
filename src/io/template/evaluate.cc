#include "io/template/evaluate.h"

#include <algorithm>

#include "core/error.h"
#include "io/template/evaluator.h"
#include "io/template/operators.h"
#include "io/template/print.h"
#include "io/template/words.h"

namespace unmask::jinja {

namespace {

/// Sets a variable for as long as it lives.
template <typename T>
class Replaced {
 public:
  Replaced(T& variable, T value) : variable_(variable), before_(variable) { variable = value; }
  Replaced(const Replaced&) = delete;
  Replaced& operator=(const Replaced&) = delete;
  ~Replaced() { variable_ = before_; }

 private:
  T& variable_;
  T before_;
};

}  // namespace

Text Evaluator::run(const Body& body) {
  Text printed;
  out_ = &printed;
  execute(body);
  return printed;
}

Evaluator::Flow Evaluator::execute(const Body& body) {
  for (const Statement* node : body) {
    if (const Flow flow = execute(*node); flow != Flow::on) return flow;
  }
  return Flow::on;
}

Evaluator::Flow Evaluator::execute(const Statement& node) {
  line_ = node.line;
  environment_.budget.spend(1);
  switch (node.kind) {
    case StatementKind::text: out_->append(*node.expression->value.text()); break;
    case StatementKind::print: out_->append(to_text(evaluate(*node.expression))); break;
    case StatementKind::branches: return execute_branches(node);
    case StatementKind::loop: return execute_loop(node);
    case StatementKind::assign: assign(node.target, evaluate(*node.expression)); break;
    case StatementKind::macro:
      set(node.macro.name, Value(Callable{node.macro.name, {}, &node.macro, false}));
      break;
    case StatementKind::scope: return execute_scope(node);
    case StatementKind::leave_loop: return Flow::leave_loop;
    case StatementKind::next_round: return Flow::next_round;
    case StatementKind::assign_block:
    case StatementKind::filter_block: {
      Text printed;
      const Flow flow = capture(node.body, printed);
      const Value value = node.expression ? filter_block(*node.expression, std::move(printed))
                                          : Value(std::move(printed));
      if (node.kind == StatementKind::assign_block) {
        assign(node.target, value);
      } else {
        out_->append(to_text(value));
      }
      return flow;
    }
  }
  return Flow::on;
}

Evaluator::Flow Evaluator::execute_branches(const Statement& node) {
  const Nesting nesting(depth_, line_, kMostNested);
  for (const auto& [condition, body] : node.branches) {
    if (truth(evaluate(*condition))) return execute(body);
  }
  return execute(node.otherwise);
}

Values Evaluator::items_of(const Statement& node) {
  Values items = iterate(evaluate(*node.expression), environment_.budget);
  if (node.condition == nullptr) return items;
  Values passing;
  for (Value& item : items) {
    Scope scope{scope_};
    const Replaced inside(scope_, &scope);
    assign(node.target, item);
    if (truth(evaluate(*node.condition))) passing.push_back(std::move(item));
  }
  return passing;
}

Evaluator::Flow Evaluator::execute_loop(const Statement& node) {
  const Nesting nesting(depth_, line_, kMostNested);
  Values items = items_of(node);
  if (!items.empty()) return execute_rounds(node, std::move(items));
  Scope scope{scope_};
  const Replaced inside(scope_, &scope);
  return execute(node.otherwise);
}

Evaluator::Flow Evaluator::execute_rounds(const Statement& node, Values items) {
  const Value all = make_list(std::move(items));
  auto shared = std::make_shared<const List>(*all.list());
  for (size_t i = 0; i < shared->items.size(); ++i) {
    Scope scope{scope_};
    const Replaced inside(scope_, &scope);
    environment_.budget.spend(1);
    set("loop",
        Value(std::make_shared<const LoopState>(LoopState{shared, static_cast<int64_t>(i)})));
    assign(node.target, shared->items[i]);
    if (execute(node.body) == Flow::leave_loop) break;
  }
  return Flow::on;
}

Evaluator::Flow Evaluator::execute_scope(const Statement& node) {
  const Nesting nesting(depth_, line_, kMostNested);
  Values values;  // seen from outside
  for (const auto& [target, expression] : node.assignments) values.push_back(evaluate(*expression));
  Scope scope{scope_};
  const Replaced inside(scope_, &scope);
  for (size_t i = 0; i < values.size(); ++i) assign(node.assignments[i].first, values[i]);
  return execute(node.body);
}

Evaluator::Flow Evaluator::capture(const Body& body, Text& printed) {
  const Nesting nesting(depth_, line_, kMostNested);
  Scope scope{scope_};
  const Replaced inside(scope_, &scope);
  const Replaced printing(out_, &printed);
  return execute(body);
}

void Evaluator::set(std::string_view name, Value value) {
  for (auto& [known, old] : scope_->names) {
    if (known != name) continue;
    old = std::move(value);
    return;
  }
  scope_->names.emplace_back(name, std::move(value));
}

void Evaluator::assign(const Target& target, const Value& value) {
  if (!target.several.empty()) {
    const Values parts = iterate(value, environment_.budget);
    if (parts.size() != target.several.size()) {
      fail(ErrorCode::chat_format, "found {} values for {} names", parts.size(),
           target.several.size());
    }
    for (size_t i = 0; i < parts.size(); ++i) assign(target.several[i], parts[i]);
  } else if (target.part.empty()) {
    set(target.name, value);
  } else {
    const Value place = evaluate_name(target.name);
    if (place.space() == nullptr) {
      fail(ErrorCode::chat_format, "'{}' is no namespace, so its parts cannot be set", target.name);
    }
    place.space()->parts[target.part] = value;
  }
}

Value Evaluator::call_macro(const Macro& macro, const Call& call) {
  const Nesting nesting(depth_, line_, kMostNested);
  if (call.arguments.size() > macro.parameters.size()) {
    call.refuse(fmt::format("found {} arguments, expected at most {}", call.arguments.size(),
                            macro.parameters.size()));
  }
  Scope scope{&root_};
  const Replaced inside(scope_, &scope);
  Text printed;
  const Replaced printing(out_, &printed);
  std::vector<std::optional<Value>> given(macro.parameters.size());
  std::copy(call.arguments.begin(), call.arguments.end(), given.begin());
  for (const auto& [keyword, value] : call.keywords) {
    const auto found = std::find(macro.parameters.begin(), macro.parameters.end(), keyword);
    if (found == macro.parameters.end()) {
      call.refuse(fmt::format("it has no parameter '{}'", keyword));
    }
    given[static_cast<size_t>(found - macro.parameters.begin())] = value;
  }
  const size_t plain = macro.parameters.size() - macro.defaults.size();
  for (size_t i = 0; i < given.size(); ++i) {
    const std::string& name = macro.parameters[i];
    if (given[i]) {
      set(name, *given[i]);
    } else if (i >= plain) {
      set(name, evaluate(*macro.defaults[i - plain]));
    } else {
      set(name, Value::undefined(fmt::format("parameter '{}' was not given", name)));
    }
  }
  execute(macro.body);
  return Value(std::move(printed));
}

Text evaluate(const Tree& tree, const Dict& data, std::time_t now) {
  Evaluator evaluator(data, now);
  try {
    return evaluator.run(tree.body);
  } catch (const Error& error) {
    const std::string what = error.what();
    const bool has_line = what.starts_with("line ");
    throw Error(has_line ? what : fmt::format("line {}: {}", evaluator.line(), what), error.code());
  }
}

}  // namespace unmask::jinja
