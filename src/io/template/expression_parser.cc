#include "io/template/expression_parser.h"

#include "core/parse_number.h"

namespace unmask::jinja {

Expression* ExpressionParser::make(ExpressionKind kind, std::vector<const Expression*> children) {
  tree_.expressions.push_back(std::make_unique<Expression>());
  Expression* node = tree_.expressions.back().get();
  node->kind = kind;
  node->line = words_.line();
  node->children = std::move(children);
  return node;
}

const Expression* ExpressionParser::parse() {
  const Nesting nesting(depth_, words_.line());
  const Expression* node = logical_or();
  while (words_.skip_name("if")) {
    const Expression* condition = logical_or();
    const Expression* otherwise = words_.skip_name("else") ? parse() : nullptr;
    node = make(ExpressionKind::conditional, {condition, node, otherwise});
  }
  return node;
}

const Expression* ExpressionParser::parse_tuple() { return tuple_of(&ExpressionParser::parse); }
const Expression* ExpressionParser::parse_tuple_without_condition() {
  return tuple_of(&ExpressionParser::logical_or);
}

const Expression* ExpressionParser::tuple_of(const Expression* (ExpressionParser::*element)()) {
  const auto ends = [&] {
    return words_.is(TokenKind::print_end) || words_.is(TokenKind::block_end) ||
           words_.is_symbol(")");
  };
  std::vector<const Expression*> items{(this->*element)()};
  if (!words_.is_symbol(",")) return items[0];
  while (words_.skip_symbol(",") && !ends()) items.push_back((this->*element)());
  return make(ExpressionKind::tuple, std::move(items));
}

const Expression* ExpressionParser::logical_or() {
  const Expression* left = logical_and();
  while (words_.skip_name("or")) {
    const Expression* right = logical_and();
    left = make(ExpressionKind::logical_or, {left, right});
  }
  return left;
}

const Expression* ExpressionParser::logical_and() {
  const Expression* left = logical_not();
  while (words_.skip_name("and")) {
    const Expression* right = logical_not();
    left = make(ExpressionKind::logical_and, {left, right});
  }
  return left;
}

const Expression* ExpressionParser::logical_not() {
  if (!words_.skip_name("not")) return comparison();
  const Nesting nesting(depth_, words_.line());
  return make(ExpressionKind::logical_not, {logical_not()});
}

const Expression* ExpressionParser::comparison() {
  const Expression* first = sum();
  Expression* node = nullptr;
  const auto add = [&](std::string name) {
    if (node == nullptr) node = make(ExpressionKind::comparison, {first});
    node->operators.push_back(std::move(name));
    node->children.push_back(sum());
  };
  while (true) {
    const std::string& text = words_.current().text;
    const bool ordered =
        words_.is(TokenKind::symbol) && (text == "==" || text == "!=" || text == "<" ||
                                         text == "<=" || text == ">" || text == ">=");
    if (ordered) {
      add(words_.take().text);
    } else if (words_.skip_name("in")) {
      add("in");
    } else if (words_.is_name("not") && words_.ahead().kind == TokenKind::name &&
               words_.ahead().text == "in") {
      words_.take();
      words_.take();
      add("not in");
    } else {
      return node == nullptr ? first : node;
    }
  }
}

const Expression* ExpressionParser::sum() {
  const Expression* left = concatenation();
  while (words_.is_symbol("+") || words_.is_symbol("-")) {
    std::string symbol = words_.take().text;
    const Expression* right = concatenation();
    Expression* node = make(ExpressionKind::binary, {left, right});
    node->operators = {std::move(symbol)};
    left = node;
  }
  return left;
}

const Expression* ExpressionParser::concatenation() {
  const Expression* first = product();
  if (!words_.is_symbol("~")) return first;
  Expression* node = make(ExpressionKind::concatenation, {first});
  while (words_.skip_symbol("~")) node->children.push_back(product());
  return node;
}

const Expression* ExpressionParser::product() {
  const Expression* left = power();
  while (words_.is_symbol("*") || words_.is_symbol("/") || words_.is_symbol("//") ||
         words_.is_symbol("%")) {
    std::string symbol = words_.take().text;
    const Expression* right = power();
    Expression* node = make(ExpressionKind::binary, {left, right});
    node->operators = {std::move(symbol)};
    left = node;
  }
  return left;
}

const Expression* ExpressionParser::power() {  // from the left, other than in Python
  const Expression* left = unary();
  while (words_.skip_symbol("**")) {
    const Expression* right = unary();
    Expression* node = make(ExpressionKind::binary, {left, right});
    node->operators = {"**"};
    left = node;
  }
  return left;
}

const Expression* ExpressionParser::signed_value(bool with_filters) {
  const Nesting nesting(depth_, words_.line());
  const Expression* node = nullptr;
  if (words_.skip_symbol("-")) {
    node = make(ExpressionKind::negative, {signed_value(false)});
  } else if (words_.skip_symbol("+")) {
    node = make(ExpressionKind::positive, {signed_value(false)});
  } else {
    node = primary();
  }
  node = postfix(node);
  return with_filters ? filters_and_tests(node) : node;
}

const Expression* ExpressionParser::primary() {
  if (words_.is(TokenKind::name)) return named();
  if (words_.is(TokenKind::integer) || words_.is(TokenKind::real)) return number();
  if (words_.is(TokenKind::string)) {
    Expression* node = make(ExpressionKind::constant);
    std::string text;
    while (words_.is(TokenKind::string)) text += words_.take().text;
    node->value = Value(text);
    return node;
  }
  if (words_.is_symbol("(")) return parentheses();
  if (words_.is_symbol("[")) return list();
  if (words_.is_symbol("{")) return dict();
  words_.refuse("an expression");
}

const Expression* ExpressionParser::named() {
  Expression* node = make(ExpressionKind::constant);
  const std::string name = words_.take().text;
  if (name == "true" || name == "True" || name == "false" || name == "False") {
    node->value = Value(name == "true" || name == "True");
  } else if (name != "none" && name != "None") {
    node->kind = ExpressionKind::name;
    node->name = name;
  }
  return node;
}

const Expression* ExpressionParser::number() {
  Expression* node = make(ExpressionKind::constant);
  const Token token = words_.current();
  if (const auto whole = parse_number<int64_t>(token.text);
      whole && token.kind == TokenKind::integer) {
    node->value = Value(*whole);
  } else if (const auto real = parse_number<double>(token.text);
             real && token.kind == TokenKind::real) {
    node->value = Value(*real);
  } else {
    words_.refuse("a number of 64 bits");
  }
  words_.take();
  return node;
}

const Expression* ExpressionParser::parentheses() {
  words_.take();
  if (words_.skip_symbol(")")) return make(ExpressionKind::tuple);
  const Expression* node = parse_tuple();
  words_.expect_symbol(")");
  return node;
}

const Expression* ExpressionParser::list() {
  Expression* node = make(ExpressionKind::list);
  words_.take();
  while (!words_.is_symbol("]")) {
    node->children.push_back(parse());
    if (!words_.skip_symbol(",")) break;
  }
  words_.expect_symbol("]");
  return node;
}

const Expression* ExpressionParser::dict() {
  Expression* node = make(ExpressionKind::dict);
  words_.take();
  while (!words_.is_symbol("}")) {
    node->children.push_back(parse());
    words_.expect_symbol(":");
    node->children.push_back(parse());
    if (!words_.skip_symbol(",")) break;
  }
  words_.expect_symbol("}");
  return node;
}

const Expression* ExpressionParser::postfix(const Expression* node) {
  while (true) {
    if (words_.is_symbol(".") || words_.is_symbol("[")) {
      node = subscript(node);
    } else if (words_.is_symbol("(")) {
      Expression* call = make(ExpressionKind::call, {node});
      arguments(*call);
      node = call;
    } else {
      return node;
    }
  }
}

const Expression* ExpressionParser::subscript(const Expression* node) {
  if (words_.skip_symbol(".")) {
    if (words_.is(TokenKind::integer)) return make(ExpressionKind::item, {node, number()});
    Expression* attribute = make(ExpressionKind::attribute, {node});
    attribute->name = words_.take_name();
    return attribute;
  }
  Expression* item = make(ExpressionKind::item, {node});
  words_.expect_symbol("[");
  const auto at_end = [&] { return words_.is_symbol(":") || words_.is_symbol("]"); };
  item->children.push_back(at_end() ? nullptr : parse());
  if (words_.is_symbol(":")) item->kind = ExpressionKind::slice;
  while (item->children.size() < 4 && words_.skip_symbol(":")) {
    item->children.push_back(at_end() ? nullptr : parse());
  }
  if (item->kind == ExpressionKind::slice) item->children.resize(4, nullptr);
  if (item->children[1] == nullptr && item->kind == ExpressionKind::item) {
    words_.refuse("a place");
  }
  words_.expect_symbol("]");
  return item;
}

const Expression* ExpressionParser::filters_and_tests(const Expression* node) {
  while (true) {
    if (words_.skip_symbol("|")) {
      node = filter(node);
    } else if (words_.skip_name("is")) {
      node = test(node);
    } else if (words_.is_symbol("(")) {
      Expression* call = make(ExpressionKind::call, {node});
      arguments(*call);
      node = call;
    } else {
      return node;
    }
  }
}

const Expression* ExpressionParser::parse_filters(const Expression* subject) {
  const Expression* node = filter(subject);
  while (words_.skip_symbol("|")) node = filter(node);
  return node;
}

/// Extensions have names with dots; none is known here, so they are refused when they are run.
std::string ExpressionParser::dotted_name() {
  std::string name = words_.take_name();
  while (words_.skip_symbol(".")) name.append(1, '.').append(words_.take_name());
  return name;
}

const Expression* ExpressionParser::filter(const Expression* node) {
  Expression* filter = make(ExpressionKind::filter, {node});
  filter->name = dotted_name();
  if (words_.is_symbol("(")) arguments(*filter);
  return filter;
}

const Expression* ExpressionParser::test(const Expression* node) {
  const bool negated = words_.skip_name("not");
  Expression* test = make(ExpressionKind::test, {node});
  test->name = dotted_name();
  const bool operand = words_.is(TokenKind::string) || words_.is(TokenKind::integer) ||
                       words_.is(TokenKind::real) || words_.is_symbol("[") ||
                       words_.is_symbol("{") ||
                       (words_.is(TokenKind::name) && !words_.is_name("else") &&
                        !words_.is_name("or") && !words_.is_name("and"));
  if (words_.is_symbol("(")) {
    arguments(*test);
  } else if (operand) {
    if (words_.is_name("is")) words_.refuse("one test only");
    test->children.push_back(postfix(primary()));
  }
  return negated ? make(ExpressionKind::logical_not, {test}) : test;
}

void ExpressionParser::arguments(Expression& node) {
  words_.expect_symbol("(");
  while (!words_.is_symbol(")")) {
    const Token& next = words_.ahead();
    if (words_.is_symbol("*") || words_.is_symbol("**")) {
      words_.refuse("arguments one by one: lists of them are not supported");
    }
    if (words_.is(TokenKind::name) && next.kind == TokenKind::symbol && next.text == "=") {
      std::string name = words_.take_name();
      words_.take();
      node.keywords.emplace_back(std::move(name), parse());
    } else {
      if (!node.keywords.empty()) words_.refuse("an argument with its name");
      node.children.push_back(parse());
    }
    if (!words_.skip_symbol(",")) break;
  }
  words_.expect_symbol(")");
}

}  // namespace unmask::jinja
