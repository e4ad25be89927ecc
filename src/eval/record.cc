#include "eval/record.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "core/error.h"

namespace unmask {

namespace {

/// Whether a whole number can be kept as T: the library would cut what is too large.
template <typename T>
bool fits(const nlohmann::json& value) {
  if (value.is_number_unsigned()) return std::in_range<T>(value.get<uint64_t>());
  return value.is_number_integer() && std::in_range<T>(value.get<int64_t>());
}

template <typename T>
T member(const nlohmann::json& object, const char* name, const std::string& where) {
  const auto found = object.find(name);
  try {
    if constexpr (std::is_integral_v<T>) {
      if (found != object.end() && fits<T>(*found)) return found->template get<T>();
    } else if (found != object.end()) {
      return found->template get<T>();
    }
  } catch (const nlohmann::json::type_error&) {  // said below
  }
  fail("{}: '{}' is missing or of another type; this is no result of unmask eval", where, name);
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

/// Throws where a count is negative or a share is none.
void check(const Record& record, const std::string& where) {
  const int64_t least =
      std::min<int64_t>({record.key.length, record.key.index, record.canvas, record.answer_tokens,
                         record.steps, record.forward_passes, record.rows});
  const bool is_score = !record.score || (*record.score >= 0 && *record.score <= 1);
  if (least >= 0 && record.seconds >= 0 && is_score) return;
  fail("{}: a negative number or a score outside 0 to 1; this is no result of unmask eval", where);
}

}  // namespace

nlohmann::ordered_json to_json(const Record& record) {
  nlohmann::ordered_json json{{"task", record.key.task},
                              {"length", record.key.length},
                              {"method", record.key.method},
                              {"index", record.key.index},
                              {"example", record.example},
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
      .example = member<std::string>(value, "example", where),
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
  check(record, where);
  return record;
}

}  // namespace unmask
