#include "io/template/print.h"

#include <algorithm>
#include <cmath>
#include <utf8proc.h>

#include "core/error.h"

namespace unmask::jinja {

std::string real_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::string text = fmt::format("{}", value);  // the shortest that reads back
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

namespace {

bool is_printable(char32_t c) {
  if (c == ' ') return true;
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category != UTF8PROC_CATEGORY_CN && category < UTF8PROC_CATEGORY_ZS;
}

std::string escaped(char32_t c) {
  if (c == '\n') return "\\n";
  if (c == '\r') return "\\r";
  if (c == '\t') return "\\t";
  const auto code = static_cast<uint32_t>(c);
  if (code < 0x100) return fmt::format("\\x{:02x}", code);
  return code < 0x10000 ? fmt::format("\\u{:04x}", code) : fmt::format("\\U{:08x}", code);
}

Text source_of(const Text& text) {
  const bool single = text.bytes().find('\'') != std::string::npos;
  const bool both = single && text.bytes().find('"') != std::string::npos;
  const char mark = single && !both ? '"' : '\'';
  const std::string around(1, mark);
  Text out(around);
  Characters at(text);
  while (at.next()) {
    const char32_t c = at.code_point();
    if (c == '\\' || c == static_cast<char32_t>(mark)) {
      out.append("\\", at.quoted());
      out.append(at.bytes(), at.quoted());
    } else if (is_printable(c)) {
      out.append(at.bytes(), at.quoted());
    } else {
      out.append(escaped(c), at.quoted());
    }
  }
  out.append(around, false);
  return out;
}

Text source_of(const List& list) {
  if (list.kind != ListKind::list && list.kind != ListKind::tuple) {
    fail(ErrorCode::chat_format, "an iterator cannot be printed; make a list of it with '|list'");
  }
  const bool tuple = list.kind == ListKind::tuple;
  Text out(tuple ? "(" : "[");
  for (size_t i = 0; i < list.items.size(); ++i) {
    if (i > 0) out.append(", ", false);
    out.append(to_source(list.items[i]));
  }
  if (tuple && list.items.size() == 1) out.append(",", false);
  out.append(tuple ? ")" : "]", false);
  return out;
}

Text source_of(const Dict& dict) {
  Text out("{");
  bool first = true;
  for (const auto& [key, value] : dict.items()) {
    if (!first) out.append(", ", false);
    first = false;
    out.append(to_source(key));
    out.append(": ", false);
    out.append(to_source(value));
  }
  out.append("}", false);
  return out;
}

class JsonWriter {
 public:
  explicit JsonWriter(const JsonStyle& style) : style_(style) {}

  Text run(const Value& value) {
    write(value);
    return std::move(out_);
  }

 private:
  void write(const Value& value) {
    if (const Text* text = value.text()) return write_text(*text);
    if (const Dict* dict = value.dict()) return write_dict(*dict);
    const List* list = value.list();
    if (list && (list->kind == ListKind::list || list->kind == ListKind::tuple)) {
      return write_list(*list);
    }
    out_.append(scalar(value), false);
  }

  static std::string scalar(const Value& value) {
    if (value.is_none()) return "null";
    if (const bool* flag = value.boolean()) return *flag ? "true" : "false";
    if (const int64_t* number = value.integer()) return std::to_string(*number);
    if (const double* number = value.real()) {
      if (std::isnan(*number)) return "NaN";
      if (std::isinf(*number)) return *number < 0 ? "-Infinity" : "Infinity";
      return real_text(*number);
    }
    fail(ErrorCode::chat_format, "found a {}, which has no form in JSON", value.type());
  }

  void write_list(const List& list) {
    if (list.items.empty()) return out_.append("[]", false);
    out_.append("[", false);
    ++level_;
    for (size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) out_.append(style_.comma);
      break_line();
      write(list.items[i]);
    }
    --level_;
    break_line();
    out_.append("]", false);
  }

  void write_dict(const Dict& dict) {
    if (dict.items().empty()) return out_.append("{}", false);
    std::vector<const Dict::Item*> items;
    for (const Dict::Item& item : dict.items()) items.push_back(&item);
    if (style_.sort_keys) {
      std::stable_sort(items.begin(), items.end(), [&](const auto* a, const auto* b) {
        if (!a->first.text() || !b->first.text()) {
          fail(ErrorCode::chat_format, "found a key that is no text, which cannot be sorted");
        }
        return a->first.text()->bytes() < b->first.text()->bytes();
      });
    }
    out_.append("{", false);
    ++level_;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_.append(style_.comma);
      break_line();
      const Text* key = items[i]->first.text();
      write_text(key ? *key : Text(scalar(items[i]->first)));
      out_.append(style_.colon);
      write(items[i]->second);
    }
    --level_;
    break_line();
    out_.append("}", false);
  }

  void break_line() {
    if (!style_.indent) return;
    out_.append("\n", false);
    for (int i = 0; i < level_; ++i) out_.append(*style_.indent);
  }

  void write_text(const Text& text) {
    out_.append("\"", false);
    Characters at(text);
    while (at.next()) {
      const char32_t c = at.code_point();
      const bool plain = c >= 0x20 && c != '"' && c != '\\' && !(style_.ascii_only && c >= 0x7F);
      out_.append(plain ? std::string(at.bytes()) : escape(c), at.quoted());
    }
    out_.append("\"", false);
  }

  static std::string escape(char32_t c) {
    switch (c) {
      case '"': return "\\\"";
      case '\\': return "\\\\";
      case '\n': return "\\n";
      case '\r': return "\\r";
      case '\t': return "\\t";
      case '\f': return "\\f";
      case '\b': return "\\b";
      default: break;
    }
    auto code = static_cast<uint32_t>(c);
    if (code < 0x10000) return fmt::format("\\u{:04x}", code);
    code -= 0x10000;
    return fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF));
  }

  const JsonStyle& style_;
  Text out_;
  int level_ = 0;
};

}  // namespace

Text to_text(const Value& value) {
  if (value.is_undefined()) return {};
  if (const Text* text = value.text()) return *text;
  return to_source(value);
}

Text to_source(const Value& value) {
  if (const Text* text = value.text()) return source_of(*text);
  if (const List* list = value.list()) return source_of(*list);
  if (const Dict* dict = value.dict()) return source_of(*dict);
  if (value.is_none()) return Text("None");
  if (value.is_undefined()) return Text("Undefined");
  if (const bool* flag = value.boolean()) return Text(*flag ? "True" : "False");
  if (const int64_t* number = value.integer()) return Text(std::to_string(*number));
  if (const double* number = value.real()) return Text(real_text(*number));
  fail(ErrorCode::chat_format, "found a {}, which cannot be printed", value.type());
}

Text to_json(const Value& value, const JsonStyle& style) { return JsonWriter(style).run(value); }

}  // namespace unmask::jinja
