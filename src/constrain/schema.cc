#include "constrain/schema.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "constrain/json_values.h"
#include "constrain/schema_node.h"
#include "constrain/schema_strings.h"

namespace unmask {

using nlohmann::ordered_json;

namespace {

constexpr int kMostLevels = 16;
constexpr size_t kMostReferences = 6;
constexpr int kMostSchemas = 4096;  // references counted as often as they are followed
constexpr size_t kMostMembers = 128;
constexpr size_t kMostValues = 1000;  // of an enum
constexpr int kMostItems = 16;
constexpr int kFreeNesting = 2;    // of a value without a schema
constexpr int kObjectNesting = 4;  // of compile_json_object()

/// Keywords that say something about values of some types.
struct TypedKeyword {
  std::string_view name;
  uint8_t types;
};
constexpr uint8_t kNumeric = kInteger | kNumber;
constexpr std::array<TypedKeyword, 15> kTypedKeywords{{{"properties", kObject},
                                                       {"required", kObject},
                                                       {"additionalProperties", kObject},
                                                       {"items", kArray},
                                                       {"prefixItems", kArray},
                                                       {"minItems", kArray},
                                                       {"maxItems", kArray},
                                                       {"minLength", kString},
                                                       {"maxLength", kString},
                                                       {"pattern", kString},
                                                       {"format", kString},
                                                       {"minimum", kNumeric},
                                                       {"maximum", kNumeric},
                                                       {"exclusiveMinimum", kNumeric},
                                                       {"exclusiveMaximum", kNumeric}}};

class Compiler {
 public:
  /// `root`: what references start from.
  Compiler(Expressions& expressions, SchemaNode root)
      : expressions_(expressions), root_(std::move(root)) {}

  Expression run() { return value(root_); }

 private:
  Expression value(const SchemaNode& node) {
    if (++schemas_ > kMostSchemas) {
      node.refuse("too many schemas", fmt::format("at most {}", kMostSchemas));
    }
    if (++level_ > kMostLevels) {
      node.refuse("too many levels", fmt::format("at most {} below each other", kMostLevels));
    }
    const Expression expression = dispatch(node);
    --level_;
    return expression;
  }

  Expression dispatch(const SchemaNode& node) {
    if (node.json() == true) return any_value(expressions_, kFreeNesting);
    if (node.json() == false) node.refuse("false", "a schema that something satisfies");
    if (!node.json().is_object()) node.refuse(node.json().type_name(), "a schema");
    if (node.has("$ref")) return reference(node);
    if (node.has("anyOf")) return alternatives(node, "anyOf");
    if (node.has("oneOf")) return alternatives(node, "oneOf");
    if (node.has("const") || node.has("enum")) return listed(node);
    return typed(node);
  }

  Expression reference(const SchemaNode& node) {
    node.allow_only(std::array{std::string_view("$ref")}, "$ref");
    const std::string target = *node.text("$ref");
    const SchemaNode place = node.at("$ref");
    if (std::count(followed_.begin(), followed_.end(), target) > 0) {
      place.refuse("a cycle of references", "references that end");
    }
    if (followed_.size() >= kMostReferences) {
      place.refuse("more references", fmt::format("at most {} behind each other", kMostReferences));
    }
    followed_.push_back(target);
    const Expression expression = value(find(place, target));
    followed_.pop_back();
    return expression;
  }

  /// The schema at "#/a/b".
  SchemaNode find(const SchemaNode& place, const std::string& target) const {
    const ordered_json* found = nullptr;
    try {
      const ordered_json::json_pointer pointer(target.substr(std::min<size_t>(1, target.size())));
      if (target.starts_with('#')) found = &root_.json().at(pointer);
    } catch (const ordered_json::exception&) {
      found = nullptr;  // no pointer, or one to nothing
    }
    if (found == nullptr) {
      place.refuse(fmt::format("'{}'", printable(target)), "#/$defs/NAME of this schema");
    }
    return {*found, root_.pointer() + target.substr(1)};
  }

  Expression alternatives(const SchemaNode& node, std::string_view keyword) {
    node.allow_only(std::array{keyword}, keyword);
    const SchemaNode list = node.at(keyword);
    list.expect_list();
    std::vector<Expression> parts;
    for (size_t i = 0; i < list.json().size(); ++i) {
      for (size_t j = 0; keyword == "oneOf" && j < i; ++j) {
        if (visibly_disjoint(list.at(j), list.at(i))) continue;
        list.at(i).refuse("an alternative that may overlap another",
                          "different types, or required members with different constants");
      }
      parts.push_back(value(list.at(i)));
    }
    return expressions_.choice(std::move(parts));
  }

  Expression listed(const SchemaNode& node) {
    const std::string_view keyword = node.has("const") ? "const" : "enum";
    node.allow_only(std::array<std::string_view, 2>{keyword, "type"}, keyword);
    const SchemaNode values = node.at(keyword);
    uint8_t types = declared_types(node);
    if ((types & kNumber) != 0) types |= kInteger;
    const auto fits = [&](const ordered_json& value) {
      return types == 0 || (types & type_of(value)) != 0;
    };
    std::vector<Expression> parts;
    if (keyword == "const") {
      if (fits(values.json())) parts.push_back(constant_value(expressions_, values.json()));
    } else {
      values.expect_list();
      if (values.json().size() > kMostValues) {
        values.refuse(fmt::format("{} values", values.json().size()),
                      fmt::format("at most {}", kMostValues));
      }
      for (const ordered_json& value : values.json()) {
        if (fits(value)) parts.push_back(constant_value(expressions_, value));
      }
    }
    if (parts.empty()) values.refuse("no value of the declared type", "at least one");
    return expressions_.choice(std::move(parts));
  }

  /// The declared types, or those that the keywords speak of.
  uint8_t types_of(const SchemaNode& node) const {
    const uint8_t declared = declared_types(node);
    std::vector<std::string_view> allowed{"type"};
    uint8_t spoken_of = 0;
    for (const TypedKeyword& keyword : kTypedKeywords) {
      if (node.has(keyword.name)) spoken_of |= keyword.types;
      if (declared == 0 || (keyword.types & declared) != 0) allowed.push_back(keyword.name);
    }
    node.allow_only(allowed);
    if (declared != 0) return declared;
    return (spoken_of & kNumber) != 0 ? spoken_of & ~kInteger : spoken_of;
  }

  Expression typed(const SchemaNode& node) {
    const uint8_t types = types_of(node);
    if (types == 0) return any_value(expressions_, kFreeNesting);
    std::vector<Expression> parts;
    if ((types & kString) != 0) parts.push_back(schema_string(expressions_, node));
    if ((types & kNumber) != 0) {
      parts.push_back(number(node));
    } else if ((types & kInteger) != 0) {
      parts.push_back(integer(node));
    }
    if ((types & kBoolean) != 0) {
      parts.push_back(expressions_.literal("true"));
      parts.push_back(expressions_.literal("false"));
    }
    if ((types & kNull) != 0) parts.push_back(expressions_.literal("null"));
    if ((types & kArray) != 0) parts.push_back(array(node));
    if ((types & kObject) != 0) parts.push_back(object(node));
    return expressions_.choice(std::move(parts));
  }

  static std::optional<double> bound(const SchemaNode& node, std::string_view key) {
    if (!node.has(key)) return std::nullopt;
    const SchemaNode value = node.at(key);
    if (!value.json().is_number()) value.refuse(value.json().type_name(), "a number");
    const auto number = value.json().get<double>();
    if (!(std::abs(number) <= static_cast<double>(kLargestInteger))) {
      value.refuse(value.json().dump(), "at most 15 digits");
    }
    return number;
  }

  Expression integer(const SchemaNode& node) {
    auto least = static_cast<double>(-kLargestInteger);
    auto most = static_cast<double>(kLargestInteger);
    if (const auto b = bound(node, "minimum")) least = std::max(least, std::ceil(*b));
    if (const auto b = bound(node, "exclusiveMinimum")) least = std::max(least, std::floor(*b) + 1);
    if (const auto b = bound(node, "maximum")) most = std::min(most, std::floor(*b));
    if (const auto b = bound(node, "exclusiveMaximum")) most = std::min(most, std::ceil(*b) - 1);
    if (least > most) node.refuse("bounds with no integer between them", "at least one");
    return integer_value(expressions_, static_cast<int64_t>(least), static_cast<int64_t>(most));
  }

  Expression number(const SchemaNode& node) {
    NumberRange range;
    bool bounded = false;
    const auto whole = [&](std::string_view key) -> std::optional<int64_t> {
      const auto value = bound(node, key);
      if (!value) return std::nullopt;
      if (*value != std::floor(*value)) node.at(key).refuse("a fraction", "a whole bound");
      bounded = true;
      return static_cast<int64_t>(*value);
    };
    if (const auto b = whole("minimum")) range.least = *b;
    if (const auto b = whole("maximum")) range.most = *b;
    if (const auto b = whole("exclusiveMinimum"); b && *b >= range.least) {
      range.least = *b;
      range.without_least = true;
    }
    if (const auto b = whole("exclusiveMaximum"); b && *b <= range.most) {
      range.most = *b;
      range.without_most = true;
    }
    const bool point = range.least == range.most && (range.without_least || range.without_most);
    if (range.least > range.most || point) node.refuse("bounds with no number between", "one");
    return bounded ? number_between(expressions_, range) : number_value(expressions_);
  }

  Expression array(const SchemaNode& node) {
    ArrayShape shape;
    shape.least = node.count("minItems", kMostItems).value_or(0);
    shape.most = node.count("maxItems", kMostItems);
    if (shape.most && *shape.most < shape.least) {
      node.at("maxItems").refuse("less than minItems", "no less");
    }
    if (node.has("prefixItems")) {
      const SchemaNode first = node.at("prefixItems");
      first.expect_list();
      if (first.json().size() > kMostItems) first.refuse("more items", "at most 16");
      for (size_t i = 0; i < first.json().size(); ++i) shape.first.push_back(value(first.at(i)));
    }
    const bool closed = node.has("items") && node.json()["items"] == false;
    if (node.has("items") && !closed) {
      shape.others = value(node.at("items"));
    } else if (!closed) {
      shape.others = any_value(expressions_, kFreeNesting);
    }
    const auto n_first = static_cast<int>(shape.first.size());
    if (closed && shape.least > n_first) {
      node.at("minItems").refuse("more items than there are schemas", "no more");
    }
    return array_value(expressions_, shape);
  }

  Expression object(const SchemaNode& node) {
    const bool open =
        !node.has("additionalProperties") || node.json()["additionalProperties"] == true;
    if (!open && node.json()["additionalProperties"] != false) {
      node.at("additionalProperties").refuse("a schema", "true or false");
    }
    std::set<std::string> required;
    if (node.has("required")) {
      const SchemaNode names = node.at("required");
      if (!names.json().is_array()) names.refuse(names.json().type_name(), "a list of names");
      for (size_t i = 0; i < names.json().size(); ++i) {
        const SchemaNode name = names.at(i);
        if (!name.json().is_string()) name.refuse(name.json().type_name(), "a name");
        const auto text = name.json().get<std::string>();
        const bool known = node.has("properties") && node.json()["properties"].contains(text);
        if (!known) name.refuse(fmt::format("'{}'", printable(text)), "a name of properties");
        required.insert(text);
      }
    }
    if (!node.has("properties")) {
      return open ? any_object(expressions_, kFreeNesting) : object_value(expressions_, {});
    }
    return members(node.at("properties"), required);
  }

  Expression members(const SchemaNode& properties, const std::set<std::string>& required) {
    if (!properties.json().is_object()) {
      properties.refuse(properties.json().type_name(), "an object of schemas");
    }
    if (properties.json().size() > kMostMembers) {
      properties.refuse(fmt::format("{} members", properties.json().size()),
                        fmt::format("at most {}", kMostMembers));
    }
    std::vector<ObjectMember> all;
    for (const auto& [key, schema] : properties.json().items()) {
      all.push_back({key, value(properties.at(key)), required.count(key) > 0});
    }
    return object_value(expressions_, all);
  }

  Expressions& expressions_;
  SchemaNode root_;
  int schemas_ = 0;
  int level_ = 0;
  std::vector<std::string> followed_;  // references around the current schema
};

Expression compile_node(Expressions& expressions, const ordered_json& schema, std::string pointer) {
  const SchemaNode root(schema, std::move(pointer));
  try {
    static_cast<void>(schema.dump());
  } catch (const ordered_json::exception&) {
    root.refuse("a string that is no UTF-8", "UTF-8");
  }
  return Compiler(expressions, root).run();
}

}  // namespace

Automaton compile_schema(const ordered_json& schema) {
  Expressions expressions;
  return Automaton::compile(expressions, compile_node(expressions, schema, ""), "[schema] /");
}

Automaton compile_json_object() {
  Expressions expressions;
  return Automaton::compile(expressions, any_object(expressions, kObjectNesting), "[schema] /");
}

Automaton compile_tool_calls(std::span<const ToolSchema> tools) {
  Expressions expressions;
  std::vector<Expression> calls;
  for (size_t i = 0; i < tools.size(); ++i) {
    const ToolSchema& tool = tools[i];
    const Expression name = constant_value(expressions, tool.name);
    const Expression arguments =
        tool.parameters == nullptr ? object_value(expressions, {})
                                   : compile_node(expressions, *tool.parameters,
                                                  fmt::format("/tools/{}/function/parameters", i));
    calls.push_back(
        object_value(expressions, {{"name", name, true}, {"arguments", arguments, true}}));
  }
  return Automaton::compile(expressions, expressions.choice(std::move(calls)), "[schema] /tools");
}

}  // namespace unmask
