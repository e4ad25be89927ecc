// The results of an evaluation, written as they come, so that an interrupted one goes on.
#pragma once

#include <filesystem>
#include <fstream>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "eval/record.h"

namespace unmask {

class ResultStore {
 public:
  /// In memory without a folder; else in FOLDER/results.jsonl, whose first line holds `settings`
  /// and each further one a record. What a killed run left of its last line is dropped. Throws
  /// Error when the folder holds results of other settings or of something else.
  ResultStore(const std::optional<std::string>& folder, const nlohmann::ordered_json& settings);

  bool has(const RecordKey& key) const { return known_.count(key) > 0; }
  /// Throws Error when it cannot be written.
  void add(Record record);
  std::span<const Record> records() const { return records_; }

 private:
  void read(const nlohmann::ordered_json& settings);
  void take(Record record);
  void append(const std::string& line);

  std::filesystem::path file_;
  std::ofstream stream_;
  std::vector<Record> records_;
  std::set<RecordKey> known_;
};

}  // namespace unmask
