// A part of a JSON schema and where it stands, with the checks that every reader of it needs.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/error.h"

namespace unmask {

/// Types of JSON schema as bits. An integer is a number, too.
enum TypeBits : uint8_t {
  kString = 1,
  kInteger = 2,
  kNumber = 4,
  kBoolean = 8,
  kNull = 16,
  kArray = 32,
  kObject = 64
};

/// Refers to the schema, which outlives it.
class SchemaNode {
 public:
  using Json = nlohmann::ordered_json;

  SchemaNode(const Json& json, std::string pointer) : json_(&json), pointer_(std::move(pointer)) {}

  const Json& json() const { return *json_; }
  /// RFC 6901, from the schema's root.
  const std::string& pointer() const { return pointer_; }
  std::string where() const { return "[schema] " + (pointer_.empty() ? "/" : pointer_); }

  bool has(std::string_view key) const { return json_->contains(key); }
  /// The value of a key or the element of an array, which must be there.
  SchemaNode at(std::string_view key) const;
  SchemaNode at(size_t index) const;

  [[noreturn]] void refuse(std::string_view found, std::string_view expected) const;

  /// Refuses every key but annotations and those of the lists.
  void allow_only(std::span<const std::string_view> keys, std::string_view beside = {}) const;
  /// Refuses anything but an array of at least one value.
  void expect_list() const;

  /// A whole number in [0, most], if the key is there.
  std::optional<int> count(std::string_view key, int most) const;
  std::optional<std::string> text(std::string_view key) const;

 private:
  const Json* json_;
  std::string pointer_;
};

/// The bit of the type of `value`; of 1.0, too, which is an integer to JSON schema.
uint8_t type_of(const nlohmann::ordered_json& value);

/// The bits of the schema's `type`; none where there is no such key. Refuses unknown names.
uint8_t declared_types(const SchemaNode& node);

/// Whether no value satisfies both, as far as their types, values and members with fixed values
/// show. References are not followed.
bool visibly_disjoint(const SchemaNode& a, const SchemaNode& b);

}  // namespace unmask
