#include "session/decisions/calibration.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/json_file.h"

namespace unmask {

using nlohmann::json;

namespace {

constexpr size_t kMostBytes = size_t{1} << 20;

/// The members of a calibration file.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& file)
      : where_(fmt::format("[calibration] {}", printable(file.string()))),
        object_(read_json_file(file, {.max_bytes = kMostBytes})) {
    if (!object_.is_object()) {
      fail("{}: found {}, expected an object", where_, object_.type_name());
    }
  }

  double number(const std::string& key, double least, double most) const {
    const json& value = at(key);
    const bool fits =
        value.is_number() && value.get<double>() >= least && value.get<double>() <= most;
    if (!fits) fail("{}: {}: expected a number from {} to {}", where_, key, least, most);
    return value.get<double>();
  }
  int count(const std::string& key, int least, int most) const {
    if (!at(key).is_number_integer()) fail("{}: {}: expected a whole number", where_, key);
    return static_cast<int>(number(key, least, most));
  }
  std::string text(const std::string& key) const {
    if (!at(key).is_string()) fail("{}: {}: expected a text", where_, key);
    return at(key).get<std::string>();
  }
  [[noreturn]] void refuse(const std::string& key, std::string_view expected) const {
    fail("{}: {}: expected {}", where_, key, expected);
  }

 private:
  const json& at(const std::string& key) const {
    const auto found = object_.find(key);
    if (found == object_.end()) fail("{}: key '{}' is missing", where_, key);
    return *found;
  }

  std::string where_;
  json object_;
};

}  // namespace

nlohmann::ordered_json to_json(const DecisionCalibration& c) {
  nlohmann::ordered_json object;
  for (const QuestionType type : kQuestionTypes) {
    object[std::string(question_type_name(type))] = c.temperature(type);
  }
  object["labels"] = c.text_labels ? "text" : "token";
  object["permutations"] = c.permutations;
  object["fitted_on"] = c.fitted_on;
  object["n"] = c.count;
  object["ece_before"] = c.ece_before;
  object["ece_after"] = c.ece_after;
  return object;
}

DecisionCalibration read_calibration(const std::filesystem::path& file) {
  const Reader reader(file);
  DecisionCalibration c;
  for (const QuestionType type : kQuestionTypes) {
    c.temperatures[static_cast<size_t>(type)] =
        reader.number(std::string(question_type_name(type)), 1e-3, 1e3);
  }
  const std::string labels = reader.text("labels");
  if (labels != "text" && labels != "token") reader.refuse("labels", "token or text");
  c.text_labels = labels == "text";
  c.permutations = reader.count("permutations", 1, 255);
  c.fitted_on = reader.text("fitted_on");
  c.count = reader.count("n", 1, 1'000'000'000);
  c.ece_before = reader.number("ece_before", 0, 1);
  c.ece_after = reader.number("ece_after", 0, 1);
  return c;
}

}  // namespace unmask
