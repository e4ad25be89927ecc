// Parses the expressions of a template, with Jinja's precedence.
#pragma once

#include "io/template/syntax.h"
#include "io/template/words.h"

namespace unmask::jinja {

/// Throws Error (chat_format) that names the line.
class ExpressionParser {
 public:
  ExpressionParser(Words& words, Tree& tree, int& depth)
      : words_(words), tree_(tree), depth_(depth) {}

  const Expression* parse();
  /// The same, where commas make a tuple.
  const Expression* parse_tuple();
  /// Without "x if y", as behind "in" of a loop, whose condition it would take.
  const Expression* parse_tuple_without_condition();
  /// A name, and "|" with more filters and their arguments, of a filter block or set block.
  const Expression* parse_filters(const Expression* subject);

 private:
  Expression* make(ExpressionKind kind, std::vector<const Expression*> children = {});
  const Expression* tuple_of(const Expression* (ExpressionParser::*element)());
  const Expression* logical_or();
  const Expression* logical_and();
  const Expression* logical_not();
  const Expression* comparison();
  const Expression* sum();
  const Expression* concatenation();
  const Expression* product();
  const Expression* power();
  const Expression* unary() { return signed_value(true); }
  const Expression* signed_value(bool with_filters);
  const Expression* primary();
  const Expression* named();
  const Expression* number();
  const Expression* parentheses();
  const Expression* list();
  const Expression* dict();
  const Expression* postfix(const Expression* node);
  const Expression* filters_and_tests(const Expression* node);
  const Expression* subscript(const Expression* node);
  const Expression* test(const Expression* node);
  const Expression* filter(const Expression* node);
  std::string dotted_name();
  void arguments(Expression& node);

  Words& words_;
  Tree& tree_;
  int& depth_;
};

}  // namespace unmask::jinja
