#include "methods/options.h"

#include <algorithm>

#include "core/error.h"
#include "core/parse_number.h"

namespace unmask {

Options::Options(std::string_view method, std::string_view text) : method_(method) {
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    const size_t equals = part.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      fail("[method] {}: option '{}': expected name=value", method_, printable(part));
    }
    const std::string_view name = part.substr(0, equals);
    if (!given_.emplace(name, Option{std::string(part.substr(equals + 1))}).second) {
      fail("[method] {}: option '{}' is given twice", method_, printable(name));
    }
  }
}

double Options::number(std::string_view name, double otherwise, double low, double high) {
  const std::string* text = take(name);
  if (text == nullptr) return otherwise;
  const auto value = parse_number<double>(*text);
  if (!value || *value < low || *value > high) {
    refuse(name, *text, fmt::format("a number from {} to {}", low, high));
  }
  return *value;
}

int Options::count(std::string_view name, int otherwise, int low, int high) {
  const std::string* text = take(name);
  if (text == nullptr) return otherwise;
  const auto value = parse_number<int>(*text);
  if (!value || *value < low || *value > high) {
    refuse(name, *text, fmt::format("a whole number from {} to {}", low, high));
  }
  return *value;
}

bool Options::flag(std::string_view name, bool otherwise) {
  const std::string* text = take(name);
  if (text == nullptr) return otherwise;
  if (*text != "true" && *text != "false") refuse(name, *text, "true or false");
  return *text == "true";
}

std::string_view Options::choice(std::string_view name,
                                 std::initializer_list<std::string_view> words) {
  const std::string* text = take(name);
  if (text == nullptr) return *words.begin();
  const auto* word = std::find(words.begin(), words.end(), *text);
  if (word == words.end()) refuse(name, *text, fmt::format("{}", fmt::join(words, " or ")));
  return *word;
}

void Options::check_all_read() const {
  for (const auto& [name, option] : given_) {
    if (option.read) continue;
    if (known_.empty()) {
      fail("[method] '{}' has no option '{}'; it has none", method_, printable(name));
    }
    fail("[method] '{}' has no option '{}'; it has {}", method_, printable(name),
         fmt::join(known_, ", "));
  }
}

const std::string* Options::take(std::string_view name) {
  known_.emplace_back(name);
  const auto found = given_.find(name);
  if (found == given_.end()) return nullptr;
  found->second.read = true;
  return &found->second.value;
}

void Options::refuse(std::string_view name, std::string_view value,
                     const std::string& expected) const {
  fail("[method] {}: option '{}': found '{}', expected {}", method_, name, printable(value),
       expected);
}

}  // namespace unmask
