// What came of one example under one method: a line of results.jsonl.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <tuple>

#include "eval/fidelity.h"

namespace unmask {

/// Which example under which method.
struct RecordKey {
  std::string task{};
  int length = 0;  // of the canvas that was asked for; 0: as long as the example is
  std::string method{};
  int index = 0;  // of the example in its task

  auto tied() const { return std::tie(task, length, method, index); }
  bool operator==(const RecordKey& other) const { return tied() == other.tied(); }
  bool operator<(const RecordKey& other) const { return tied() < other.tied(); }
};

struct Record {
  RecordKey key{};
  std::string example{};          // example_fingerprint()
  std::optional<double> score{};  // none: the example has no right answer
  std::string answer{};
  int canvas = 0;         // positions: prompt and generated part
  int answer_tokens = 0;  // before the first end token
  int steps = 0;
  int forward_passes = 0;
  int64_t rows = 0;
  double seconds = 0;
  std::optional<Fidelity> fidelity{};
};

nlohmann::ordered_json to_json(const Record& record);
/// Throws Error, for values that no evaluation can give, too; `where` starts every message.
Record parse_record(const nlohmann::json& value, const std::string& where);

}  // namespace unmask
