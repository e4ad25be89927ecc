#include "io/gguf_keys.h"

#include <limits>

#include "core/error.h"

namespace unmask {

void GgufKeys::reject(std::string_view key, std::string_view what) const {
  fail("{}: key '{}' {}", where_, key, what);
}

const GgufValue* GgufKeys::find(const std::string& key) const {
  const auto found = file_.metadata().find(key);
  return found == file_.metadata().end() ? nullptr : &found->second;
}

const GgufValue& GgufKeys::get(const std::string& key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) reject(key, "is missing");
  return *value;
}

void GgufKeys::wrong_type(const std::string& key, const GgufValue& value,
                          std::string_view expected) const {
  reject(key, fmt::format("is {}, expected {}", gguf_type_name(value.type), expected));
}

int GgufKeys::integer(const std::string& key, int low, int high) const {
  const GgufValue& stored = get(key);
  const auto* natural = std::get_if<uint64_t>(&stored.value);
  const auto* negative = std::get_if<int64_t>(&stored.value);
  if (natural == nullptr && negative == nullptr) wrong_type(key, stored, "an integer");
  const auto limit = static_cast<uint64_t>(high);
  const bool fits = natural != nullptr ? *natural >= static_cast<uint64_t>(low) && *natural <= limit
                                       : *negative >= low && *negative <= high;
  if (!fits) {
    reject(key,
           fmt::format("is {}, expected {} to {}",
                       natural != nullptr ? fmt::to_string(*natural) : fmt::to_string(*negative),
                       low, high));
  }
  return natural != nullptr ? static_cast<int>(*natural) : static_cast<int>(*negative);
}

std::optional<int> GgufKeys::optional_size(const std::string& key, int limit) const {
  return has(key) ? std::optional(size(key, limit)) : std::nullopt;
}

float GgufKeys::positive(const std::string& key) const {
  const GgufValue& stored = get(key);
  const auto* value = std::get_if<double>(&stored.value);
  if (value == nullptr) wrong_type(key, stored, "a float");
  if (!(*value <= std::numeric_limits<float>::max()) || !(static_cast<float>(*value) > 0)) {
    reject(key, fmt::format("is {}, expected a positive finite number", *value));
  }
  return static_cast<float>(*value);
}

std::optional<float> GgufKeys::optional_positive(const std::string& key) const {
  return has(key) ? std::optional(positive(key)) : std::nullopt;
}

bool GgufKeys::flag(const std::string& key, bool fallback) const {
  const GgufValue* stored = find(key);
  if (stored == nullptr) return fallback;
  const auto* value = std::get_if<bool>(&stored->value);
  if (value == nullptr) wrong_type(key, *stored, "a boolean");
  return *value;
}

std::string_view GgufKeys::text(const std::string& key) const {
  const GgufValue& stored = get(key);
  const auto* value = std::get_if<std::string_view>(&stored.value);
  if (value == nullptr) wrong_type(key, stored, "a string");
  return *value;
}

std::optional<std::string_view> GgufKeys::optional_text(const std::string& key) const {
  return has(key) ? std::optional(text(key)) : std::nullopt;
}

const GgufArray& GgufKeys::array(const std::string& key, GgufType element) const {
  const GgufValue& stored = get(key);
  const auto* value = std::get_if<GgufArray>(&stored.value);
  if (value == nullptr) wrong_type(key, stored, "an array");
  if (value->element != element) {
    reject(key, fmt::format("is an array of {}, expected {}", gguf_type_name(value->element),
                            gguf_type_name(element)));
  }
  return *value;
}

std::optional<TokenId> GgufKeys::token_id(const std::string& key, int vocab_size) const {
  return has(key) ? std::optional(integer(key, 0, vocab_size - 1)) : std::nullopt;
}

}  // namespace unmask
