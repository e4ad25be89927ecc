// The words of a template for its parser.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "io/template/lexer.h"

namespace unmask::jinja {

/// Looks at one word after the other. What does not fit throws Error (chat_format) with its line.
class Words {
 public:
  explicit Words(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& current() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  int line() const { return current().line; }
  bool is(TokenKind kind) const { return current().kind == kind; }
  bool is_symbol(std::string_view text) const {
    return is(TokenKind::symbol) && current().text == text;
  }
  bool is_name(std::string_view text) const {
    return is(TokenKind::name) && current().text == text;
  }
  Token take() {
    Token token = current();
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool skip_symbol(std::string_view text) { return is_symbol(text) && (take(), true); }
  bool skip_name(std::string_view text) { return is_name(text) && (take(), true); }
  void expect_symbol(std::string_view text) {
    if (!skip_symbol(text)) refuse(fmt::format("'{}'", text));
  }
  void expect(TokenKind kind, std::string_view what) {
    if (!is(kind)) refuse(what);
    take();
  }
  std::string take_name() {
    if (!is(TokenKind::name)) refuse("a name");
    return take().text;
  }
  [[noreturn]] void refuse(std::string_view expected) const {
    fail(ErrorCode::chat_format, "line {}: found {}, expected {}", line(), shown(), expected);
  }

 private:
  std::string shown() const {
    switch (current().kind) {
      case TokenKind::text: return "text";
      case TokenKind::end: return "the end of the template";
      case TokenKind::print_end: return "'}}'";
      case TokenKind::block_end: return "'%}'";
      case TokenKind::print_begin: return "'{{'";
      case TokenKind::block_begin: return "'{%'";
      default: return fmt::format("'{}'", printable(current().text, 40));
    }
  }

  std::vector<Token> tokens_;
  size_t at_ = 0;
};

/// Counts levels of nesting, so that none exhausts the stack: a level takes up to some thousand
/// bytes.
class Nesting {
 public:
  Nesting(int& depth, int line, int most = 200) : depth_(depth) {
    if (depth_ >= most) {
      fail(ErrorCode::chat_format, "line {}: nested deeper than {} levels", line, most);
    }
    ++depth_;
  }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;
  ~Nesting() { --depth_; }

 private:
  int& depth_;
};

}  // namespace unmask::jinja
