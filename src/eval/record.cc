#include "eval/record.h"

#include <nlohmann/json.hpp>

#include "core/error.h"

namespace unmask {

namespace {

template <typename T>
T member(const nlohmann::json& object, const char* name, const std::string& where) {
  try {
    return object.at(name).get<T>();
  } catch (const nlohmann::json::exception&) {
    fail("{}: '{}' is missing or of another type; this is no result of unmask eval", where, name);
  }
}

nlohmann::ordered_json to_json(const Fidelity& fidelity) {
  return {{"token_agreement", fidelity.token_agreement},
          {"step_agreement", fidelity.step_agreement},
          {"output_error", fidelity.output_error},
          {"retained_mass", fidelity.retained_mass}};
}

Fidelity parse_fidelity(const nlohmann::json& value, const std::string& where) {
  return {.token_agreement = member<double>(value, "token_agreement", where),
          .step_agreement = member<double>(value, "step_agreement", where),
          .output_error = member<double>(value, "output_error", where),
          .retained_mass = member<std::vector<double>>(value, "retained_mass", where)};
}

}  // namespace

nlohmann::ordered_json to_json(const Record& record) {
  nlohmann::ordered_json json{{"task", record.key.task},
                              {"length", record.key.length},
                              {"method", record.key.method},
                              {"index", record.key.index},
                              {"score", nullptr},
                              {"answer", record.answer},
                              {"canvas", record.canvas},
                              {"answer_tokens", record.answer_tokens},
                              {"steps", record.steps},
                              {"forward_passes", record.forward_passes},
                              {"rows", record.rows},
                              {"seconds", record.seconds}};
  if (record.score) json["score"] = *record.score;
  if (record.fidelity) json["fidelity"] = to_json(*record.fidelity);
  return json;
}

Record parse_record(const nlohmann::json& value, const std::string& where) {
  Record record{
      .key = {member<std::string>(value, "task", where), member<int>(value, "length", where),
              member<std::string>(value, "method", where), member<int>(value, "index", where)},
      .answer = member<std::string>(value, "answer", where),
      .canvas = member<int>(value, "canvas", where),
      .answer_tokens = member<int>(value, "answer_tokens", where),
      .steps = member<int>(value, "steps", where),
      .forward_passes = member<int>(value, "forward_passes", where),
      .rows = member<int64_t>(value, "rows", where),
      .seconds = member<double>(value, "seconds", where)};
  if (value.contains("score") && !value["score"].is_null())
    record.score = member<double>(value, "score", where);
  if (value.contains("fidelity")) record.fidelity = parse_fidelity(value["fidelity"], where);
  return record;
}

}  // namespace unmask
