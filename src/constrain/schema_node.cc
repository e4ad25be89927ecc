#include "constrain/schema_node.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

namespace unmask {

namespace {

using Json = SchemaNode::Json;

constexpr std::array<std::string_view, 12> kAnnotations{
    "title",    "description", "default",  "examples",  "$schema", "$id",
    "$comment", "deprecated",  "readOnly", "writeOnly", "$defs",   "definitions"};

constexpr std::array<std::pair<std::string_view, uint8_t>, 7> kTypeNames{{{"string", kString},
                                                                          {"integer", kInteger},
                                                                          {"number", kNumber},
                                                                          {"boolean", kBoolean},
                                                                          {"null", kNull},
                                                                          {"array", kArray},
                                                                          {"object", kObject}}};

std::string escaped(std::string_view key) {
  std::string out;
  for (const char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

/// Values that const or enum list, without an order of keys; none where there is neither.
std::optional<std::vector<nlohmann::json>> listed_values(const Json& schema) {
  if (schema.contains("const")) return std::vector<nlohmann::json>{schema["const"]};
  if (!schema.contains("enum") || !schema["enum"].is_array()) return std::nullopt;
  return std::vector<nlohmann::json>(schema["enum"].begin(), schema["enum"].end());
}

bool have_common(const std::vector<nlohmann::json>& a, const std::vector<nlohmann::json>& b) {
  return std::any_of(a.begin(), a.end(), [&](const nlohmann::json& value) {
    return std::find(b.begin(), b.end(), value) != b.end();
  });
}

/// Every value of the schema has one of these types.
uint8_t possible_types(const SchemaNode& node) {
  if (const auto values = listed_values(node.json())) {
    uint8_t types = 0;
    for (const nlohmann::json& value : *values) types |= type_of(value);
    return types;
  }
  const uint8_t declared = declared_types(node);
  return declared == 0 ? uint8_t{0xff} : declared;
}

bool share_a_type(uint8_t a, uint8_t b) {
  const auto widened = [](uint8_t types) {
    return static_cast<uint8_t>((types & kNumber) != 0 ? types | kInteger : types);
  };
  return (widened(a) & widened(b)) != 0;
}

bool requires_member(const Json& schema, const std::string& key) {
  if (!schema.contains("required") || !schema["required"].is_array()) return false;
  const Json& required = schema["required"];
  return std::find(required.begin(), required.end(), Json(key)) != required.end();
}

/// Whether both require a member whose listed values differ.
bool told_apart_by_member(const Json& a, const Json& b) {
  if (!a.contains("properties") || !a["properties"].is_object()) return false;
  if (!b.contains("properties") || !b["properties"].is_object()) return false;
  for (const auto& [key, schema] : a["properties"].items()) {
    if (!schema.is_object() || !requires_member(a, key) || !requires_member(b, key)) continue;
    const auto other = b["properties"].find(key);
    if (other == b["properties"].end() || !other->is_object()) continue;
    const auto mine = listed_values(schema);
    const auto theirs = listed_values(*other);
    if (mine && theirs && !have_common(*mine, *theirs)) return true;
  }
  return false;
}

}  // namespace

SchemaNode SchemaNode::at(std::string_view key) const {
  return {json_->at(std::string(key)), pointer_ + "/" + escaped(key)};
}

SchemaNode SchemaNode::at(size_t index) const {
  return {json_->at(index), pointer_ + "/" + std::to_string(index)};
}

void SchemaNode::refuse(std::string_view found, std::string_view expected) const {
  fail(ErrorCode::schema, "{}: found {}, expected {}", printable(where(), 200), found, expected);
}

void SchemaNode::allow_only(std::span<const std::string_view> keys, std::string_view beside) const {
  for (const auto& [key, value] : json_->items()) {
    if (std::find(kAnnotations.begin(), kAnnotations.end(), key) != kAnnotations.end()) continue;
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
    if (!beside.empty()) {
      at(key).refuse(fmt::format("a keyword beside '{}'", beside), "annotations only");
    }
    std::string expected = "one of";
    for (const std::string_view known : keys) expected += fmt::format(" {}", known);
    at(key).refuse("an unsupported keyword", expected);
  }
}

void SchemaNode::expect_list() const {
  if (!json_->is_array() || json_->empty()) refuse("no values", "a list of at least one value");
}

std::optional<int> SchemaNode::count(std::string_view key, int most) const {
  if (!has(key)) return std::nullopt;
  const SchemaNode value = at(key);
  if (!value.json().is_number()) value.refuse(value.json().type_name(), "a whole number");
  const auto number = value.json().get<double>();
  if (!(number >= 0 && number <= most) || number != std::floor(number)) {
    value.refuse(fmt::format("{}", number), fmt::format("a whole number from 0 to {}", most));
  }
  return static_cast<int>(number);
}

std::optional<std::string> SchemaNode::text(std::string_view key) const {
  if (!has(key)) return std::nullopt;
  const SchemaNode value = at(key);
  if (!value.json().is_string()) value.refuse(value.json().type_name(), "a string");
  return value.json().get<std::string>();
}

uint8_t type_of(const Json& value) {
  switch (value.type()) {
    case Json::value_t::string: return kString;
    case Json::value_t::boolean: return kBoolean;
    case Json::value_t::array: return kArray;
    case Json::value_t::object: return kObject;
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned: return kInteger;
    case Json::value_t::number_float: {
      const auto number = value.get<double>();
      return number == std::floor(number) ? kInteger : kNumber;
    }
    default: break;
  }
  return kNull;
}

uint8_t declared_types(const SchemaNode& node) {
  if (!node.has("type")) return 0;
  const SchemaNode type = node.at("type");
  const auto bit = [](const SchemaNode& name) -> uint8_t {
    if (!name.json().is_string()) name.refuse(name.json().type_name(), "a name of a type");
    const auto text = name.json().get<std::string>();
    for (const auto& [known, bits] : kTypeNames) {
      if (known == text) return bits;
    }
    name.refuse(fmt::format("'{}'", printable(text)),
                "string, integer, number, boolean, null, array or object");
  };
  if (!type.json().is_array()) return bit(type);
  type.expect_list();
  uint8_t types = 0;
  for (size_t i = 0; i < type.json().size(); ++i) types |= bit(type.at(i));
  return types;
}

bool visibly_disjoint(const SchemaNode& a, const SchemaNode& b) {
  if (!a.json().is_object() || !b.json().is_object()) return false;
  if (!share_a_type(possible_types(a), possible_types(b))) return true;
  const auto mine = listed_values(a.json());
  const auto theirs = listed_values(b.json());
  if (mine && theirs) return !have_common(*mine, *theirs);
  const bool objects = possible_types(a) == kObject && possible_types(b) == kObject;
  return objects && told_apart_by_member(a.json(), b.json());
}

}  // namespace unmask
