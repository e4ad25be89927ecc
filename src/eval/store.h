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
#include "session/shard.h"

namespace unmask {

class ResultStore {
 public:
  /// In memory without a folder; else in FOLDER/results.jsonl, whose first line holds `settings`
  /// and each further one a record. What a killed run left of its last line is dropped. A shard
  /// writes results.I-of-N.jsonl instead and knows what all files of the folder hold when it
  /// begins. As long as this lives the own file belongs to this process, and without a shard all of
  /// them do. Throws Error when the folder holds results of other settings or of something else,
  /// and while another process has what should be this one's.
  ResultStore(const std::optional<std::string>& folder, const nlohmann::ordered_json& settings,
              const Shard& shard = {});
  ~ResultStore();
  ResultStore(const ResultStore&) = delete;
  ResultStore& operator=(const ResultStore&) = delete;

  /// Null: there is none yet.
  const Record* find(const RecordKey& key) const;
  /// Throws Error when it cannot be written.
  void add(Record record);
  std::span<const Record> records() const { return records_; }

 private:
  /// Opens a file for reading, too, and takes it for this process.
  int open_alone(const std::filesystem::path& file, int flags);
  void read_own(const nlohmann::ordered_json& settings);
  /// What another process wrote; of the last line nothing unless it is complete.
  void read_other(const std::filesystem::path& file, const nlohmann::ordered_json& settings);
  void read_lines(std::string_view text, const std::filesystem::path& file,
                  const nlohmann::ordered_json& settings);
  void append(const std::string& line);
  void close_all();

  std::filesystem::path file_;
  int descriptor_ = -1;
  std::vector<int> others_;  // held, that nobody writes them
  std::vector<Record> records_;
  std::map<RecordKey, size_t> known_;
};

}  // namespace unmask
