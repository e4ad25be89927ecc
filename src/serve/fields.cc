#include "serve/fields.h"

#include <cmath>

#include "core/error.h"
#include "io/json_file.h"
#include "io/text/utf8.h"
#include "serve/api_error.h"

namespace unmask {

using nlohmann::json;

namespace {

constexpr int kMaxDepth = 64;
constexpr size_t kMaxValues = 200'000;

ApiError invalid_json(const std::string& message) {
  return {400, "invalid_request_error", "invalid_json", message};
}

/// Commas outside strings, which bound the number of values before anything is allocated for them.
size_t count_values(std::string_view text) {
  size_t count = 1;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && text[i] == ',') {
      ++count;
    }
  }
  return count;
}

}  // namespace

json parse_body(std::string_view body) {
  if (body.empty()) throw invalid_json("[request] body: found nothing, expected a JSON object");
  if (count_values(body) > kMaxValues) {
    throw invalid_json(fmt::format("[request] body: more than {} values", kMaxValues));
  }
  json value;
  try {
    value = parse_json(body, "[request] body", {.max_bytes = body.size(), .max_depth = kMaxDepth});
  } catch (const Error& error) {
    throw invalid_json(error.what());
  }
  if (!value.is_object()) {
    throw invalid_json(
        fmt::format("[request] body: found {}, expected a JSON object", value.type_name()));
  }
  return value;
}

const json* Fields::find(std::string_view name) {
  known_.emplace(name);
  const auto found = object_.find(std::string(name));
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::string> Fields::text(std::string_view name, size_t max_bytes) {
  const json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) refuse_type(name, *value, "a string");
  const auto& text = value->get_ref<const std::string&>();
  if (text.size() > max_bytes) {
    refuse(name, fmt::format("found {} bytes, expected at most {}", text.size(), max_bytes));
  }
  return text;
}

std::optional<bool> Fields::flag(std::string_view name) {
  const json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) refuse_type(name, *value, "true or false");
  return value->get<bool>();
}

std::optional<int64_t> Fields::whole(std::string_view name, int64_t least, int64_t most) {
  const json* value = find(name);
  if (value == nullptr) return std::nullopt;
  const std::string expected = fmt::format("a whole number from {} to {}", least, most);
  if (!value->is_number_integer()) refuse_type(name, *value, expected);
  const bool too_large = value->is_number_unsigned() &&
                         value->get<uint64_t>() > static_cast<uint64_t>(std::max<int64_t>(most, 0));
  if (too_large || value->get<int64_t>() < least || value->get<int64_t>() > most) {
    refuse_type(name, *value, expected);
  }
  return value->get<int64_t>();
}

std::optional<int> Fields::count(std::string_view name, int least, int most) {
  const auto value = whole(name, least, most);
  return value ? std::optional(static_cast<int>(*value)) : std::nullopt;
}

std::optional<double> Fields::number(std::string_view name, double least, double most) {
  const json* value = find(name);
  if (value == nullptr) return std::nullopt;
  const std::string expected = fmt::format("a number from {} to {}", least, most);
  if (!value->is_number()) refuse_type(name, *value, expected);
  const auto number = value->get<double>();
  if (!(number >= least && number <= most)) refuse_type(name, *value, expected);
  return number;
}

std::string Fields::choice(std::string_view name, const std::vector<std::string>& values) {
  const auto value = text(name);
  if (!value) return values.front();
  for (const std::string& known : values) {
    if (*value == known) return known;
  }
  refuse(name, fmt::format("found '{}', expected {}", printable(*value), fmt::join(values, ", ")));
}

std::optional<Fields> Fields::object(std::string_view name) {
  const json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) refuse_type(name, *value, "an object");
  return Fields(*value, path(name) + ".");
}

std::vector<const json*> Fields::array(std::string_view name, size_t least, size_t most) {
  const json* value = find(name);
  if (value == nullptr) return {};
  const std::string expected = fmt::format("an array of {} to {}", least, most);
  if (!value->is_array()) refuse_type(name, *value, expected);
  if (value->size() < least || value->size() > most) {
    refuse(name, fmt::format("found {} elements, expected {} to {}", value->size(), least, most));
  }
  std::vector<const json*> elements;
  for (const json& element : *value) elements.push_back(&element);
  return elements;
}

void Fields::refuse(std::string_view name, const std::string& message,
                    const std::string& code) const {
  throw invalid_value(path(name), fmt::format("[request] {}: {}", path(name), message), code);
}

void Fields::refuse_unknown() const {
  for (const auto& [name, value] : object_.items()) {
    if (known_.contains(name)) continue;
    refuse(printable(name),
           fmt::format("there is no such key; known are {}", fmt::join(known_, ", ")),
           "unknown_parameter");
  }
}

void Fields::refuse_type(std::string_view name, const json& found,
                         std::string_view expected) const {
  refuse(name, fmt::format("found {}, expected {}", shown(found), expected));
}

std::string element_path(std::string_view name, size_t i) { return fmt::format("{}[{}]", name, i); }

std::string shown(const json& value) {
  if (value.is_structured()) return fmt::format("an {}", value.type_name());
  return printable(value.dump(-1, ' ', false, json::error_handler_t::replace), 40);
}

}  // namespace unmask
