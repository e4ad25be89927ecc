#include "serve/api/response_format.h"

#include <nlohmann/json.hpp>

#include "serve/api/ordered_member.h"

namespace unmask {

using nlohmann::json;
using nlohmann::ordered_json;

namespace {

constexpr size_t kMostName = 64;  // OpenAI's

AnswerForm form_of_schema(const ordered_json& schema, const std::string& path,
                          Constraints& constraints) {
  try {
    return schema_form(schema, constraints);
  } catch (const Error& error) {
    throw unsupported_schema(error, path);
  }
}

AnswerForm form_of_object(Constraints& constraints) {
  try {
    return json_object_form(constraints);
  } catch (const Error& error) {
    throw unsupported_schema(error, "response_format");
  }
}

}  // namespace

std::optional<AnswerForm> read_response_format(Fields& body, std::string_view text,
                                               Constraints& constraints) {
  auto format = body.object("response_format");
  if (!format) return std::nullopt;
  const std::string type = format->choice("type", {"text", "json_object", "json_schema"});
  if (type == "text") return std::nullopt;
  if (type == "json_object") {
    if (format->find("schema") != nullptr) {
      format->refuse("schema", "found one beside json_object, expected the type json_schema");
    }
    return form_of_object(constraints);
  }
  auto named = format->object("json_schema");
  if (!named) format->refuse("json_schema", "found nothing, expected an object");
  named->text("name", kMostName);
  named->flag("strict");  // answers always are
  if (named->find("schema") == nullptr) named->refuse("schema", "found nothing, expected a schema");
  const ordered_json whole = ordered_member(text, "response_format");
  return form_of_schema(whole["json_schema"]["schema"], named->path("schema"), constraints);
}

std::optional<AnswerForm> read_json_schema(Fields& diffusion, std::string_view text,
                                           Constraints& constraints) {
  if (diffusion.find("json_schema") == nullptr) return std::nullopt;
  const ordered_json whole = ordered_member(text, "diffusion");
  return form_of_schema(whole["json_schema"], diffusion.path("json_schema"), constraints);
}

void check_beside_schema(const GenerationFields& fields) {
  const RequestOptions& o = fields.options;
  const auto refuse = [](const std::string& name, std::string_view why) {
    throw invalid_value(name,
                        fmt::format("[request] {}: cannot be had with a schema, {}", name, why),
                        "unsupported_parameter");
  };
  if (o.suppress_eos) refuse("diffusion.suppress_eos", "whose texts have an end");
  if (o.defer_eos) refuse("diffusion.defer_eos", "whose texts have an end");
  if (o.attach_eos) refuse("diffusion.attach_eos", "whose texts have an end");
  if (o.credit) refuse("diffusion.credit", "whose tokens come from a search");
  if (o.drafts) refuse("diffusion.drafts", "whose steps may decide more than was drafted");
  if (!o.early_stop) refuse("diffusion.early_stop", "behind whose texts there is nothing");
  if (o.top_p) refuse("top_p", "which says itself what may follow");
  if (o.top_k) refuse("top_k", "which says itself what may follow");
}

ApiError unsupported_schema(const Error& error, const std::string& path) {
  const std::string message = error.what();
  constexpr std::string_view kBefore = "[schema] ";
  const size_t end = message.find(": found");
  std::string pointer;
  if (message.starts_with("[schema] /") && end != std::string::npos) {
    pointer = message.substr(kBefore.size(), end - kBefore.size());
  }
  return invalid_value(path + (pointer == "/" ? "" : pointer), message, "unsupported_schema");
}

}  // namespace unmask
