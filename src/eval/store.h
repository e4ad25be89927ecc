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
#include "io/appended_file.h"
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
  /// Null: there is none yet.
  const Record* find(const RecordKey& key) const;
  /// Throws Error when it cannot be written.
  void add(Record record);
  std::span<const Record> records() const { return records_; }

 private:
  void read_lines(std::string_view text, const std::filesystem::path& file,
                  const nlohmann::ordered_json& settings);

  std::optional<AppendedFile> own_;   // none in memory
  std::vector<AppendedFile> others_;  // held, that nobody writes them
  std::vector<Record> records_;
  std::map<RecordKey, size_t> known_;
};

}  // namespace unmask
