#include "io/json_members.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace unmask {

namespace {

constexpr std::string_view kBlanks = " \t\r\n";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Behind the string that begins at `text[at]`.
size_t string_end(std::string_view text, size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return std::min(at + 1, text.size());
}

/// Where the value that begins at `text[at]` is followed by a comma or the end of its object.
size_t value_end(std::string_view text, size_t at) {
  int depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = string_end(text, at);
      continue;
    }
    if (depth == 0 && (c == ',' || c == '}')) break;
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    ++at;
  }
  return at;
}

void skip_digits(std::string_view& text) {
  while (!text.empty() && is_digit(text.front())) text.remove_prefix(1);
}

/// -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)?
bool is_number(std::string_view text) {
  const auto take = [&](std::string_view any) {
    const bool found = !text.empty() && any.find(text.front()) != std::string_view::npos;
    if (found) text.remove_prefix(1);
    return found;
  };
  constexpr std::string_view kDigits = "0123456789";
  take("-");
  if (!take("0")) {
    if (!take(kDigits)) return false;
    skip_digits(text);
  }
  if (take(".")) {
    if (!take(kDigits)) return false;
    skip_digits(text);
  }
  if (take("eE")) {
    take("+-");
    if (!take(kDigits)) return false;
    skip_digits(text);
  }
  return text.empty();
}

}  // namespace

std::vector<JsonMember> json_members(std::string_view object) {
  std::vector<JsonMember> members;
  for (size_t at = object.find('"'); at < object.size(); at = object.find('"', at)) {
    const size_t name_end = string_end(object, at);
    const size_t colon = object.find(':', name_end);
    const size_t end = value_end(object, colon + 1);
    std::string_view text = object.substr(at, end - at);
    text = text.substr(0, text.find_last_not_of(kBlanks) + 1);
    members.push_back(
        {nlohmann::json::parse(object.substr(at, name_end - at)).get<std::string>(), text});
    at = end;
  }
  return members;
}

std::string without_numbers(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t end = at + 1;
    if (text[at] == '"') {
      end = string_end(text, at);
    } else if (is_digit(text[at]) || text[at] == '-') {
      end = std::min(text.find_first_not_of("0123456789+-.eE", at), text.size());
      if (is_number(text.substr(at, end - at))) {
        out += '0';
        at = end;
        continue;
      }
    }
    out += text.substr(at, end - at);
    at = end;
  }
  return out;
}

}  // namespace unmask
