// Another implementation of JSON schemas, to judge what ours lets through.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#define VALIJSON_USE_EXCEPTIONS 1  // else it ends the process
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

namespace unmask::testing {

/// The judge knows draft 7, where prefixItems are items and items are additionalItems. It takes the
/// format of a value that is no string for an error, so formats are judged alone.
inline nlohmann::json draft_7(const nlohmann::ordered_json& schema) {
  if (schema.is_array()) {
    nlohmann::json out = nlohmann::json::array();
    for (const auto& item : schema) out.push_back(draft_7(item));
    return out;
  }
  if (!schema.is_object()) return schema;
  const bool tuple = schema.contains("prefixItems");
  nlohmann::json out = nlohmann::json::object();
  for (const auto& [key, value] : schema.items()) {
    if (key == "const" || key == "enum") {
      out[key] = value;
    } else if (key == "format") {
      out["minLength"] = 6;  // every format has more
    } else if (tuple && key == "prefixItems") {
      out["items"] = draft_7(value);
    } else if (tuple && key == "items") {
      out["additionalItems"] = draft_7(value);
    } else {
      out[key] = draft_7(value);
    }
  }
  return out;
}

class Judge {
 public:
  explicit Judge(nlohmann::json schema) : json_(std::move(schema)) {
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(json_), schema_);
  }

  /// The objections, empty when `text` is a document of the schema.
  std::string objections(const std::string& text) try {
    const auto document = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (document.is_discarded()) return "no JSON";
    valijson::Validator validator(valijson::Validator::kStrongTypes);
    valijson::ValidationResults results;
    if (validator.validate(schema_, valijson::adapters::NlohmannJsonAdapter(document), &results)) {
      return "";
    }
    std::string all = "invalid";
    for (const auto& error : results) all += "; " + error.description;
    return all;
  } catch (const std::exception& error) {
    return error.what();
  }

 private:
  nlohmann::json json_;
  valijson::Schema schema_;
};

}  // namespace unmask::testing
