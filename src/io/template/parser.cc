#include "io/template/parser.h"

#include <algorithm>
#include <initializer_list>

#include "io/template/expression_parser.h"

namespace unmask::jinja {

namespace {

class Parser {
 public:
  explicit Parser(std::string_view source)
      : words_(tokenize(source)), expressions_(words_, tree_, depth_) {}

  Tree run() {
    tree_.body = body({}, 1);
    return std::move(tree_);
  }

 private:
  using Ends = std::initializer_list<std::string_view>;

  Statement* make(StatementKind kind) {
    tree_.statements.push_back(std::make_unique<Statement>());
    Statement* node = tree_.statements.back().get();
    node->kind = kind;
    node->line = words_.line();
    return node;
  }
  [[noreturn]] void refuse(const std::string& what) const {
    fail(ErrorCode::chat_format, "line {}: {}", words_.line(), what);
  }
  void end_tag() { words_.expect(TokenKind::block_end, "'%}'"); }

  /// Statements up to a tag of `ends`, or the end of the template for none; its name is the current
  /// word then. `opened` is the line of the tag that it ends.
  Body body(Ends ends, int opened) {
    Body statements;
    while (true) {
      if (words_.is(TokenKind::end)) {
        if (ends.size() == 0) return statements;
        refuse(fmt::format("found the end of the template, expected '{}' of the tag in line {}",
                           fmt::join(ends, "' or '"), opened));
      }
      if (words_.is(TokenKind::text)) {
        Statement* text = make(StatementKind::text);
        text->expression = constant(words_.take().text);
        statements.push_back(text);
      } else if (words_.is(TokenKind::print_begin)) {
        words_.take();
        Statement* print = make(StatementKind::print);
        print->expression = expressions_.parse_tuple();
        words_.expect(TokenKind::print_end, "'}}'");
        statements.push_back(print);
      } else {
        words_.expect(TokenKind::block_begin, "a tag");
        if (!words_.is(TokenKind::name)) words_.refuse("the name of a tag");
        const std::string& name = words_.current().text;
        if (std::find(ends.begin(), ends.end(), name) != ends.end()) return statements;
        statements.push_back(tag());
      }
    }
  }

  /// The same, where names that are set end with the body.
  Body scoped_body(Ends ends, int opened) {
    ++scopes_;
    Body statements = body(ends, opened);
    --scopes_;
    return statements;
  }

  const Expression* constant(std::string_view text) {
    tree_.expressions.push_back(std::make_unique<Expression>());
    tree_.expressions.back()->value = Value(text);
    return tree_.expressions.back().get();
  }

  const Statement* tag() {
    const Nesting nesting(depth_, words_.line());
    const std::string name = words_.current().text;
    if (name == "for") return loop();
    if (name == "if") return branches();
    if (name == "set") return assign();
    if (name == "macro") return macro();
    if (name == "filter") return filter_block();
    if (name == "with") return with();
    if (name == "generation") return generation();
    if (name == "break" || name == "continue") return jump();
    if (name.starts_with("end") || name == "elif" || name == "else") {
      refuse(fmt::format("found '{}' without its beginning", printable(name, 40)));
    }
    refuse(fmt::format("the tag '{}' is not supported", printable(name, 40)));
  }

  Target target(bool several) {
    const auto one = [&] {
      Target target;
      if (words_.skip_symbol("(")) {
        target = this->target(true);
        words_.expect_symbol(")");
        return target;
      }
      target.name = words_.take_name();
      if (words_.skip_symbol(".")) target.part = words_.take_name();
      return target;
    };
    const Nesting nesting(depth_, words_.line());
    Target first = one();
    if (!several || !words_.is_symbol(",")) return first;
    Target all;
    all.several.push_back(std::move(first));
    while (words_.skip_symbol(",") && (words_.is(TokenKind::name) || words_.is_symbol("("))) {
      all.several.push_back(one());
    }
    return all;
  }

  const Statement* loop() {
    Statement* node = make(StatementKind::loop);
    words_.take();
    node->target = target(true);
    if (!words_.skip_name("in")) words_.refuse("'in'");
    node->expression = expressions_.parse_tuple_without_condition();
    if (words_.skip_name("if")) node->condition = expressions_.parse();
    if (words_.is_name("recursive")) refuse("recursive loops are not supported");
    end_tag();
    ++loops_;
    node->body = scoped_body({"else", "endfor"}, node->line);
    --loops_;
    if (words_.skip_name("else")) {
      end_tag();
      node->otherwise = scoped_body({"endfor"}, node->line);
    }
    words_.take();
    end_tag();
    return node;
  }

  const Statement* branches() {
    Statement* node = make(StatementKind::branches);
    do {
      words_.take();
      const Expression* condition = expressions_.parse_tuple();
      end_tag();
      node->branches.emplace_back(condition, body({"elif", "else", "endif"}, node->line));
    } while (words_.is_name("elif"));
    if (words_.skip_name("else")) {
      end_tag();
      node->otherwise = body({"endif"}, node->line);
    }
    words_.take();
    end_tag();
    return node;
  }

  const Statement* assign() {
    Statement* node = make(StatementKind::assign);
    words_.take();
    node->target = target(true);
    if (words_.skip_symbol("=")) {
      node->expression = expressions_.parse_tuple();
      end_tag();
      return node;
    }
    node->kind = StatementKind::assign_block;
    if (words_.skip_symbol("|")) node->expression = expressions_.parse_filters(nullptr);
    end_tag();
    node->body = scoped_body({"endset"}, node->line);
    words_.take();
    end_tag();
    return node;
  }

  const Statement* macro() {
    if (scopes_ > 0) refuse("a macro inside another block is not supported");
    Statement* node = make(StatementKind::macro);
    words_.take();
    Macro& macro = node->macro;
    macro.line = node->line;
    macro.name = words_.take_name();
    words_.expect_symbol("(");
    while (!words_.is_symbol(")")) {
      macro.parameters.push_back(words_.take_name());
      if (words_.skip_symbol("=")) {
        macro.defaults.push_back(expressions_.parse());
      } else if (!macro.defaults.empty()) {
        words_.refuse("a default value, as the parameter before has");
      }
      if (!words_.skip_symbol(",")) break;
    }
    words_.expect_symbol(")");
    end_tag();
    const int loops = std::exchange(loops_, 0);
    macro.body = scoped_body({"endmacro"}, node->line);
    loops_ = loops;
    words_.take();
    end_tag();
    return node;
  }

  const Statement* filter_block() {
    Statement* node = make(StatementKind::filter_block);
    words_.take();
    node->expression = expressions_.parse_filters(nullptr);
    end_tag();
    node->body = scoped_body({"endfilter"}, node->line);
    words_.take();
    end_tag();
    return node;
  }

  const Statement* with() {
    Statement* node = make(StatementKind::scope);
    words_.take();
    while (!words_.is(TokenKind::block_end)) {
      if (!node->assignments.empty()) words_.expect_symbol(",");
      Target place = target(false);
      words_.expect_symbol("=");
      node->assignments.emplace_back(std::move(place), expressions_.parse());
    }
    end_tag();
    node->body = scoped_body({"endwith"}, node->line);
    words_.take();
    end_tag();
    return node;
  }

  /// What the assistant said; it matters to training only.
  const Statement* generation() {
    Statement* node = make(StatementKind::scope);
    words_.take();
    end_tag();
    node->body = scoped_body({"endgeneration"}, node->line);
    words_.take();
    end_tag();
    return node;
  }

  const Statement* jump() {
    const Statement* node =
        make(words_.is_name("break") ? StatementKind::leave_loop : StatementKind::next_round);
    if (loops_ == 0) refuse(fmt::format("found '{}' outside a loop", words_.current().text));
    words_.take();
    end_tag();
    return node;
  }

  Tree tree_;
  int depth_ = 0;
  int loops_ = 0;
  int scopes_ = 0;
  Words words_;
  ExpressionParser expressions_;
};

}  // namespace

Tree parse(std::string_view source) {
  if (source.size() > kMaxTemplateBytes) {
    fail(ErrorCode::chat_format, "found a template of {} bytes, expected at most {}", source.size(),
         kMaxTemplateBytes);
  }
  return Parser(source).run();
}

}  // namespace unmask::jinja
