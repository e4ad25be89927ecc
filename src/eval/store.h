// The results of an evaluation, written as they come, so that an interrupted one goes on.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "eval/record.h"

namespace unmask {

class ResultStore {
 public:
  /// In memory without a folder; else in FOLDER/results.jsonl, whose first line holds `settings`
  /// and each further one a record. What a killed run left of its last line is dropped. The folder
  /// belongs to this process as long as this lives. Throws Error when the folder holds results of
  /// other settings or of something else, and while another process has it.
  ResultStore(const std::optional<std::string>& folder, const nlohmann::ordered_json& settings);
  ~ResultStore();
  ResultStore(const ResultStore&) = delete;
  ResultStore& operator=(const ResultStore&) = delete;

  /// Null: there is none yet.
  const Record* find(const RecordKey& key) const;
  /// Throws Error when it cannot be written.
  void add(Record record);
  std::span<const Record> records() const { return records_; }

 private:
  void open_file(const std::filesystem::path& folder);
  void read(const nlohmann::ordered_json& settings);
  void take(Record record, const std::string& where);
  void append(const std::string& line);
  [[noreturn]] void refuse(const char* what) const;

  std::filesystem::path file_;
  int descriptor_ = -1;
  std::vector<Record> records_;
  std::map<RecordKey, size_t> known_;
};

}  // namespace unmask
