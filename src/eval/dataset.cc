#include "eval/dataset.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "eval/metric.h"
#include "io/json_file.h"

namespace unmask {

namespace {

using nlohmann::json;

constexpr size_t kMaxFileBytes = size_t{1} << 30;

std::string text_of(const json& value, const char* what, const std::string& where) {
  if (!value.is_string())
    fail("{}: {}: found {}, expected a string", where, what, value.type_name());
  return value.get<std::string>();
}

std::vector<std::string> texts_of(const json& value, const char* what, const std::string& where) {
  if (!value.is_array() || value.empty()) {
    fail("{}: {}: expected a list of at least one string", where, what);
  }
  std::vector<std::string> texts;
  for (const json& item : value) texts.push_back(text_of(item, what, where));
  return texts;
}

std::vector<ChatMessage> messages_of(const json& value, const std::string& where) {
  for (const char* key : {"prompt", "question"}) {
    if (value.contains(key)) return {{"user", text_of(value[key], key, where)}};
  }
  if (!value.contains("messages") || !value["messages"].is_array() || value["messages"].empty()) {
    fail("{}: expected a \"prompt\", a \"question\" or \"messages\"", where);
  }
  std::vector<ChatMessage> messages;
  for (const json& m : value["messages"]) {
    if (!m.is_object() || !m.contains("role") || !m.contains("content")) {
      fail("{}: each message needs a \"role\" and a \"content\"", where);
    }
    messages.push_back(
        {text_of(m["role"], "role", where), text_of(m["content"], "content", where)});
  }
  return messages;
}

/// The right one of `choices`, by its text or its number.
std::string right_choice(const json& answer, const std::vector<std::string>& choices,
                         const std::string& where) {
  if (answer.is_number_integer()) {
    const auto n = answer.get<int64_t>();
    if (n >= 0 && n < static_cast<int64_t>(choices.size())) return choices[static_cast<size_t>(n)];
  } else if (answer.is_string() &&
             std::count(choices.begin(), choices.end(), answer.get<std::string>()) > 0) {
    return answer.get<std::string>();
  }
  fail("{}: answer: found {}, expected one of the {} choices or its number from 0", where,
       printable(answer.dump()), choices.size());
}

std::vector<std::string> references_of(const json& value, const Example& example,
                                       const std::string& where) {
  if (!value.contains("answer")) {
    if (value.contains("answers")) return texts_of(value["answers"], "answers", where);
    return {};
  }
  if (!example.choices.empty()) return {right_choice(value["answer"], example.choices, where)};
  return {text_of(value["answer"], "answer", where)};
}

Metric metric_of(const json& value, std::optional<Metric> metric, const Example& example,
                 const std::string& where) {
  if (value.contains("metric")) return parse_metric(text_of(value["metric"], "metric", where));
  if (metric) return *metric;
  if (!example.choices.empty()) return Metric::choice;
  return example.references.empty() ? Metric::none : Metric::exact;
}

}  // namespace

Example parse_example(std::string_view line, std::optional<Metric> metric,
                      const std::string& where) {
  const json value = parse_json(line, where);
  if (!value.is_object()) fail("{}: found {}, expected an object", where, value.type_name());
  Example example{.messages = messages_of(value, where)};
  if (value.contains("choices")) example.choices = texts_of(value["choices"], "choices", where);
  example.references = references_of(value, example, where);
  example.metric = metric_of(value, metric, example, where);
  if (example.metric != Metric::none && example.references.empty()) {
    fail("{}: the metric {} needs an \"answer\" or \"answers\"", where,
         metric_name(example.metric));
  }
  if (example.metric == Metric::choice && example.choices.size() < 2) {
    fail("{}: the metric choice needs at least two \"choices\"", where);
  }
  if (value.contains("gen_length")) {
    const json& length = value["gen_length"];
    if (!length.is_number_integer() || length.get<int64_t>() < 1 ||
        length.get<int64_t>() > 1'000'000) {
      fail("{}: gen_length: found {}, expected a number from 1", where, printable(length.dump()));
    }
    example.gen_length = length.get<int>();
  }
  check_references(example);
  return example;
}

std::vector<Example> read_dataset(const std::string& file, int limit,
                                  std::optional<Metric> metric) {
  const std::string text = read_text_file(file, kMaxFileBytes);
  std::vector<Example> examples;
  int line_number = 0;
  for (size_t begin = 0; begin < text.size() && static_cast<int>(examples.size()) < limit;) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line(text.data() + begin, end - begin);
    begin = end + 1;
    ++line_number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    examples.push_back(parse_example(line, metric, fmt::format("[eval] {}:{}", file, line_number)));
  }
  if (examples.empty()) fail("[eval] {}: no examples in it", file);
  return examples;
}

}  // namespace unmask
