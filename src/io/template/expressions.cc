// What the expressions of a template mean.
#include "core/error.h"
#include "io/template/evaluator.h"
#include "io/template/operators.h"
#include "io/template/print.h"
#include "io/template/words.h"

namespace unmask::jinja {

Value Evaluator::evaluate(const Expression& node) {
  const Nesting nesting(depth_, node.line, kMostNested);
  line_ = node.line;
  environment_.budget.spend(1);
  const auto child = [&](size_t i) { return evaluate(*node.children[i]); };
  switch (node.kind) {
    case ExpressionKind::constant: return node.value;
    case ExpressionKind::name: return evaluate_name(node.name);
    case ExpressionKind::list: return evaluate_list(node, ListKind::list);
    case ExpressionKind::tuple: return evaluate_list(node, ListKind::tuple);
    case ExpressionKind::dict: return evaluate_dict(node);
    case ExpressionKind::attribute: return attribute(child(0), node.name);
    case ExpressionKind::call: return evaluate_call(node);
    case ExpressionKind::filter: return filter(node, child(0));
    case ExpressionKind::test: {
      Value subject = child(0);
      return Value(apply_test(call_of(node, node.name, std::move(subject))));
    }
    case ExpressionKind::logical_not: return Value(!truth(child(0)));
    case ExpressionKind::logical_and: {
      Value left = child(0);
      return truth(left) ? child(1) : left;
    }
    case ExpressionKind::logical_or: {
      Value left = child(0);
      return truth(left) ? left : child(1);
    }
    case ExpressionKind::conditional:
      if (truth(child(0))) return child(1);
      return node.children[2] ? child(2) : Value::undefined("an 'if' has no 'else'");
    default: return evaluate_operation(node);
  }
}

Value Evaluator::evaluate_operation(const Expression& node) {
  if (node.kind == ExpressionKind::comparison) return evaluate_comparison(node);
  if (node.kind == ExpressionKind::concatenation) return evaluate_concatenation(node);
  const Value left = evaluate(*node.children[0]);
  if (node.kind == ExpressionKind::negative) return negate(left);
  if (node.kind == ExpressionKind::positive) return negate(negate(left));
  if (node.kind == ExpressionKind::slice) {
    const Value first = or_none(node.children[1]);
    const Value last = or_none(node.children[2]);
    environment_.budget.spend(left.cost());
    return slice(left, first, last, or_none(node.children[3]));
  }
  const Value right = evaluate(*node.children[1]);
  environment_.budget.spend(left.text() ? left.cost() : 0);
  line_ = node.line;
  if (node.kind == ExpressionKind::item) return part(left, right);
  return calculate(node.operators[0], left, right, environment_.budget);
}

Value Evaluator::evaluate_name(const std::string& name) {
  for (const Scope* scope = scope_; scope != nullptr; scope = scope->outer) {
    for (const auto& [known, value] : scope->names) {
      if (known == name) return value;
    }
  }
  if (const Value* value = data_.find(name)) return *value;
  if (is_function(name)) return Value(Callable{name, {}, nullptr, false});
  return Value::undefined(fmt::format("'{}' is undefined", printable(name, 60)));
}

Value Evaluator::evaluate_list(const Expression& node, ListKind kind) {
  Values items;
  for (const Expression* item : node.children) items.push_back(evaluate(*item));
  return make_list(std::move(items), kind);
}

Value Evaluator::evaluate_dict(const Expression& node) {
  Dict dict;
  for (size_t i = 0; i < node.children.size(); i += 2) {
    const Value key = evaluate(*node.children[i]);
    dict.set(key, evaluate(*node.children[i + 1]));
  }
  return Value(std::move(dict));
}

Value Evaluator::evaluate_comparison(const Expression& node) {
  Value left = evaluate(*node.children[0]);
  for (size_t i = 0; i < node.operators.size(); ++i) {
    Value right = evaluate(*node.children[i + 1]);
    if (!compare(node.operators[i], left, right, environment_.budget)) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Value Evaluator::evaluate_concatenation(const Expression& node) {
  Text whole;
  for (const Expression* part : node.children) whole.append(to_text(evaluate(*part)));
  Value value(std::move(whole));
  environment_.budget.spend(value.cost());
  return value;
}

Call Evaluator::call_of(const Expression& node, std::string name, Value subject) {
  Call call{std::move(name), environment_, std::move(subject)};
  for (size_t i = 1; i < node.children.size(); ++i) {
    call.arguments.push_back(evaluate(*node.children[i]));
    environment_.budget.spend(call.arguments.back().cost());
  }
  for (const auto& [keyword, value] : node.keywords) {
    call.keywords.emplace_back(keyword, evaluate(*value));
  }
  line_ = node.line;
  return call;
}

Value Evaluator::filter(const Expression& node, Value subject) {
  Value value = apply_filter(call_of(node, node.name, std::move(subject)));
  environment_.budget.spend(value.cost());
  return value;
}

Value Evaluator::filter_block(const Expression& node, Text printed) {
  const Nesting nesting(depth_, node.line, kMostNested);
  const Expression* inner = node.children[0];
  return filter(node, inner ? filter_block(*inner, std::move(printed)) : Value(std::move(printed)));
}

Value Evaluator::evaluate_call(const Expression& node) {
  const Value called = evaluate(*node.children[0]);
  line_ = node.line;
  if (called.is_undefined()) fail(ErrorCode::chat_format, "{}", called.why_undefined());
  const Callable* function = called.callable();
  if (function == nullptr) {
    fail(ErrorCode::chat_format, "found a {}, which cannot be called", called.type());
  }
  const Call call = call_of(node, function->name, function->self);
  Value value = function->macro    ? call_macro(*function->macro, call)
                : function->method ? call_method(call)
                                   : call_function(call);
  environment_.budget.spend(value.cost());
  return value;
}

}  // namespace unmask::jinja
