#include "io/config_reader.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/json_file.h"

namespace unmask {

using nlohmann::json;

namespace {

constexpr size_t kMaxConfigBytes = size_t{4} << 20;
constexpr int kIntMax = std::numeric_limits<int>::max();

std::string shown(const json& value) { return printable(value.dump(-1, ' ', true)); }

}  // namespace

ConfigReader::ConfigReader(const std::filesystem::path& path)
    : where_("[config] " + path.string()),
      values_(read_json_file(path, {.max_bytes = kMaxConfigBytes})) {
  if (!values_.is_object()) fail("{}: expected a JSON object", where_);
}

ConfigReader::ConfigReader(const std::string& text, const std::string& name)
    : where_("[config] " + name),
      values_(parse_json(text, where_, {.max_bytes = kMaxConfigBytes})) {
  if (!values_.is_object()) fail("{}: expected a JSON object", where_);
}

ConfigReader::ConfigReader(const ConfigReader& outer, std::string_view key, const json& values)
    : where_(fmt::format("{}: in '{}'", outer.where_, key)), values_(values) {}

void ConfigReader::reject(std::string_view key, std::string_view what) const {
  fail("{}: key '{}' {}", where_, key, what);
}

bool ConfigReader::is_off(std::string_view key) const {
  const json* value = find(key);
  return value == nullptr || *value == json(false) || (value->is_structured() && value->empty());
}

bool ConfigReader::is_string(std::string_view key) const {
  const json* value = find(key);
  return value != nullptr && value->is_string();
}

std::vector<std::string> ConfigReader::keys() const {
  std::vector<std::string> all;
  for (const auto& [key, value] : values_.items()) all.push_back(key);
  return all;
}

const json* ConfigReader::find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() || found->is_null() ? nullptr : &*found;
}

const json& ConfigReader::get(std::string_view key) const {
  const json* value = find(key);
  if (value == nullptr) reject(key, "is missing");
  return *value;
}

int64_t ConfigReader::integer(std::string_view key, const json& value, int64_t low,
                              int64_t high) const {
  const bool fits =
      value.is_number_integer() &&
      (!value.is_number_unsigned() ||
       value.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
  if (!fits || value.get<int64_t>() < low || value.get<int64_t>() > high) {
    reject(key, fmt::format("is {}, expected an integer from {} to {}", shown(value), low, high));
  }
  return value.get<int64_t>();
}

int ConfigReader::size(std::string_view key, int limit) const {
  return static_cast<int>(integer(key, get(key), 1, limit));
}

float ConfigReader::positive(std::string_view key) const {
  get(key);
  const float value = *optional_float(key);
  if (!(value > 0)) {
    reject(key, fmt::format("is {}, expected a positive number", shown(get(key))));
  }
  return value;
}

bool ConfigReader::flag(std::string_view key) const {
  get(key);
  return *optional_flag(key);
}

std::optional<int> ConfigReader::optional_int(std::string_view key) const {
  const json* value = find(key);
  if (value == nullptr) return std::nullopt;
  return static_cast<int>(integer(key, *value, -kIntMax, kIntMax));
}

std::optional<float> ConfigReader::optional_float(std::string_view key) const {
  const json* value = find(key);
  if (value == nullptr) return std::nullopt;
  const double number = value->is_number() ? value->get<double>() : std::nan("");
  if (!(std::abs(number) <= std::numeric_limits<float>::max())) {
    reject(key, fmt::format("is {}, expected a finite number", shown(*value)));
  }
  return static_cast<float>(number);
}

std::optional<bool> ConfigReader::optional_flag(std::string_view key) const {
  const json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) {
    reject(key, fmt::format("is {}, expected true or false", shown(*value)));
  }
  return value->get<bool>();
}

std::optional<std::string> ConfigReader::optional_string(std::string_view key) const {
  const json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) reject(key, fmt::format("is {}, expected a string", shown(*value)));
  return value->get<std::string>();
}

std::vector<TokenId> ConfigReader::token_ids(std::string_view key) const {
  const json* value = find(key);
  if (value == nullptr) return {};
  std::vector<TokenId> ids;
  const auto add = [&](const json& id) {
    ids.push_back(static_cast<TokenId>(integer(key, id, 0, kIntMax)));
  };
  if (!value->is_array()) {
    add(*value);
  } else {
    for (const json& id : *value) add(id);
  }
  return ids;
}

std::vector<std::string> ConfigReader::strings(std::string_view key) const {
  const json* value = find(key);
  if (value == nullptr) return {};
  const bool all_strings =
      value->is_array() &&
      std::all_of(value->begin(), value->end(), [](const json& e) { return e.is_string(); });
  if (!all_strings) reject(key, fmt::format("is {}, expected a list of strings", shown(*value)));
  return value->get<std::vector<std::string>>();
}

std::optional<ConfigReader> ConfigReader::section(std::string_view key) const {
  const json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) reject(key, fmt::format("is {}, expected an object", shown(*value)));
  if (value->empty()) return std::nullopt;
  return ConfigReader(*this, key, *value);
}

void ConfigReader::require_present(std::string_view key) const {
  if (!values_.contains(key)) reject(key, "is missing");
}

void ConfigReader::require(std::string_view key, const json& expected) const {
  get(key);
  accept_only(key, expected);
}

void ConfigReader::accept_only(std::string_view key, const json& expected) const {
  const json* value = find(key);
  if (value == nullptr || *value == expected) return;
  reject(key, fmt::format("is {}, only {} is implemented", shown(*value), shown(expected)));
}

}  // namespace unmask
