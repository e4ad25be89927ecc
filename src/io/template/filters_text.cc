// Filters that make texts and numbers.
#include <charconv>
#include <cmath>
#include <map>

#include "core/error.h"
#include "io/template/builtins.h"
#include "io/template/numbers.h"
#include "io/template/operators.h"
#include "io/template/print.h"

namespace unmask::jinja {

namespace {

template <Text (*function)(const Text&)>
Value mapped(const Call& call) {
  call.bind({});
  return Value(function(to_text(call.subject)));
}

Value trim(const Call& call) {
  const auto bound = call.bind({"chars"});
  const bool given = bound[0] && !bound[0]->is_none();
  return Value(strip(to_text(call.subject), given ? &call.text(bound[0]) : nullptr, Side::both));
}

/// Each word begins with an upper case letter, where words end at blanks and opening brackets.
Text title_words(const Text& text) {
  Text out;
  Text word;
  const auto end_word = [&] {
    if (word.empty()) return;
    const size_t first = character_offsets(word)[1];
    out.append(upper(word.part(0, first)));
    out.append(lower(word.part(first, word.bytes().size())));
    word = {};
  };
  Characters at(text);
  while (at.next()) {
    const char32_t c = at.code_point();
    const bool between = c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || is_space(c);
    if (between) end_word();
    (between ? out : word).append(text, at.begin(), at.end());
  }
  end_word();
  return out;
}

Value replace_in(const Call& call) {
  const auto bound = call.bind({"old", "new", "count"}, 2);
  const int64_t most = bound[2] && !bound[2]->is_none() ? call.integer(bound[2], -1) : int64_t{-1};
  return Value(replace(to_text(call.subject), to_text(*bound[0]), to_text(*bound[1]), most));
}

Value indent(const Call& call) {
  const auto bound = call.bind({"width", "first", "blank"});
  const bool by_text = bound[0] && bound[0]->text() != nullptr;
  const Text margin = by_text ? *bound[0]->text() : repeat(Text(" "), call.integer(bound[0], 4));
  const bool first = bound[1] && truth(*bound[1]);
  const bool blank = bound[2] && truth(*bound[2]);
  Text text = call.text(call.subject);
  text.append("\n", false);
  const std::vector<Text> lines = split_lines(text, false);
  Text out = first ? margin : Text();
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out.append("\n", false);
    if (i > 0 && (blank || !lines[i].empty())) out.append(margin);
    out.append(lines[i]);
  }
  return Value(std::move(out));
}

Value escape_html(const Call& call) {
  call.bind({});
  Text out;
  const Text text = to_text(call.subject);
  Characters at(text);
  while (at.next()) {
    std::string_view bytes = at.bytes();
    switch (at.code_point()) {
      case '&': bytes = "&amp;"; break;
      case '<': bytes = "&lt;"; break;
      case '>': bytes = "&gt;"; break;
      case '"': bytes = "&#34;"; break;
      case '\'': bytes = "&#39;"; break;
      default: break;
    }
    out.append(bytes, at.quoted());
  }
  return Value(std::move(out));
}

Value as_string(const Call& call) {
  call.bind({});
  return Value(to_text(call.subject));
}

Value to_json(const Call& call) {
  const auto bound = call.bind({"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ascii_only = bound[0] && truth(*bound[0]);
  style.sort_keys = bound[3] && truth(*bound[3]);
  if (bound[1] && !bound[1]->is_none()) {
    style.indent =
        bound[1]->text() ? *bound[1]->text() : repeat(Text(" "), call.integer(bound[1], 0));
    style.comma = Text(",");
  }
  if (bound[2] && !bound[2]->is_none()) {
    const Values separators = iterate(*bound[2], call.budget());
    if (separators.size() != 2) call.refuse("found separators that are no pair");
    style.comma = call.text(separators[0]);
    style.colon = call.text(separators[1]);
  }
  return Value(to_json(call.subject, style));
}

Value integer(const Call& call) {
  const auto bound = call.bind({"default", "base"});
  if (bound[1] && call.integer(bound[1], 10) != 10) call.refuse("only base 10 is supported");
  const auto number = to_integer(call.subject);
  if (number) return Value(*number);
  return bound[0].value_or(Value(int64_t{0}));
}

Value real(const Call& call) {
  const auto bound = call.bind({"default"});
  const auto number = to_real(call.subject);
  if (number) return Value(*number);
  return bound[0].value_or(Value(0.0));
}

Value absolute(const Call& call) {
  call.bind({});
  if (as_integer(call.subject)) {
    const int64_t number = *as_integer(call.subject);
    return number < 0 ? negate(Value(number)) : Value(number);
  }
  if (!call.subject.real()) call.refuse("expected a number");
  return Value(std::abs(*call.subject.real()));
}

Value rounded(const Call& call) {
  const auto bound = call.bind({"precision", "method"});
  const int64_t precision = call.integer(bound[0], 0);
  const std::string method = bound[1] ? call.text(bound[1]).bytes() : "common";
  if (!call.subject.is_number()) call.refuse("expected a number");
  if (precision < 0 || precision > 15) call.refuse("expected a precision of 0 to 15");
  const double number = *as_real(call.subject);
  if (method == "common") {
    if (as_integer(call.subject)) return Value(*as_integer(call.subject));
    if (!std::isfinite(number)) return call.subject;
    // Of the exact binary value, and a half to the even digit, as Python does it.
    return Value(*to_real(Value(fmt::format("{:.{}f}", number, precision))));
  }
  if (method != "ceil" && method != "floor") call.refuse("expected common, ceil or floor");
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = method == "ceil" ? std::ceil(number * scale) : std::floor(number * scale);
  return Value(scaled / scale);
}

Value percent_format(const Call& call) {
  if (!call.keywords.empty()) call.refuse("arguments by name are not supported");
  return Value(format_percent(to_text(call.subject), call.arguments));
}

}  // namespace

Builtin find_text_filter(std::string_view name) {
  static const std::map<std::string_view, Builtin> all{{"trim", trim},
                                                       {"upper", mapped<upper>},
                                                       {"lower", mapped<lower>},
                                                       {"title", mapped<title_words>},
                                                       {"capitalize", mapped<capitalize>},
                                                       {"replace", replace_in},
                                                       {"indent", indent},
                                                       {"escape", escape_html},
                                                       {"e", escape_html},
                                                       {"safe", as_string},
                                                       {"string", as_string},
                                                       {"tojson", to_json},
                                                       {"int", integer},
                                                       {"float", real},
                                                       {"abs", absolute},
                                                       {"round", rounded},
                                                       {"format", percent_format}};
  const auto found = all.find(name);
  return found == all.end() ? nullptr : found->second;
}

}  // namespace unmask::jinja
