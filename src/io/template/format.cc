// Texts with places for values: "{} {name}" and "%s". Widths and other specifications are refused.

#include "core/error.h"
#include "core/parse_number.h"
#include "io/template/builtins.h"
#include "io/template/operators.h"
#include "io/template/print.h"

namespace unmask::jinja {

namespace {

const Value& argument_at(const Call& call, size_t place) {
  if (place >= call.arguments.size()) {
    call.refuse(fmt::format("found no argument {}", place));
  }
  return call.arguments[place];
}

const Value& argument_named(const Call& call, const std::string& name) {
  for (const auto& [keyword, value] : call.keywords) {
    if (keyword == name) return value;
  }
  call.refuse(fmt::format("found no argument '{}'", printable(name, 40)));
}

}  // namespace

Text format_braces(const Call& call) {
  const Text& pattern = *call.subject.text();
  const std::string& bytes = pattern.bytes();
  Text out;
  size_t next = 0;
  for (size_t at = 0; at < bytes.size();) {
    const size_t brace = std::min(bytes.find_first_of("{}", at), bytes.size());
    out.append(pattern, at, brace);
    if (brace == bytes.size()) break;
    if (brace + 1 < bytes.size() && bytes[brace + 1] == bytes[brace]) {
      out.append(pattern, brace, brace + 1);
      at = brace + 2;
      continue;
    }
    const size_t end = bytes.find('}', brace);
    if (bytes[brace] == '}' || end == std::string::npos) call.refuse("found a single brace");
    const std::string field = bytes.substr(brace + 1, end - brace - 1);
    if (field.find_first_of(":!.[{") != std::string::npos) {
      call.refuse(fmt::format("the place '{}' has more than a name", printable(field, 40)));
    }
    const auto place =
        field.empty() ? std::optional<uint64_t>(next++) : parse_number<uint64_t>(field);
    out.append(to_text(place ? argument_at(call, *place) : argument_named(call, field)));
    at = end + 1;
  }
  return out;
}

Text format_percent(const Text& pattern, const Values& arguments) {
  const std::string& bytes = pattern.bytes();
  Text out;
  size_t next = 0;
  for (size_t at = 0; at < bytes.size();) {
    const size_t sign = std::min(bytes.find('%', at), bytes.size());
    out.append(pattern, at, sign);
    if (sign == bytes.size()) break;
    const char kind = sign + 1 < bytes.size() ? bytes[sign + 1] : ' ';
    at = sign + 2;
    if (kind == '%') {
      out.append(pattern, sign, sign + 1);
      continue;
    }
    if (kind != 's' && kind != 'd') {
      fail(ErrorCode::chat_format, "found '%{}' in a format, expected %s, %d or %%",
           printable(std::string_view(&kind, 1)));
    }
    if (next == arguments.size()) fail(ErrorCode::chat_format, "a format has too few values");
    const Value& value = arguments[next++];
    if (kind == 'd' && !as_integer(value)) {
      fail(ErrorCode::chat_format, "found a {} for %d, expected an integer", value.type());
    }
    out.append(kind == 'd' ? Text(std::to_string(*as_integer(value))) : to_text(value));
  }
  if (next < arguments.size()) fail(ErrorCode::chat_format, "a format has too many values");
  return out;
}

}  // namespace unmask::jinja
