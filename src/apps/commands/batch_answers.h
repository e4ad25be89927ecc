// The file that `unmask batch` adds its answers to, so that a run that ended goes on.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "io/appended_file.h"
#include "session/shard.h"

namespace unmask {

/// What an answer belongs to: the line's number and a hash of all that the answer depends on.
struct BatchItem {
  int number = 0;  // from 1, blank lines not counted
  uint64_t fingerprint = 0;
};

class BatchAnswers {
 public:
  /// A share's file has its name before the ending: answers.2-of-4.jsonl. What any share or the
  /// whole has answered is known. Throws Error while another process writes what this one is to
  /// write or to merge.
  BatchAnswers(const std::filesystem::path& file, const Shard& shard);

  /// True when there is an answer. Throws Error (results_exist) where it is one to another text, or
  /// of other settings.
  bool has(const BatchItem& item) const;
  /// What tells the item in an answer's line.
  static void put(const BatchItem& item, nlohmann::ordered_json& answer);
  /// Without a share, what only the files of shares hold comes into this one, in order.
  void merge();
  /// A line that such an answer is in.
  void add(std::string_view line) { own_.append(line); }

 private:
  struct Known {
    uint64_t fingerprint;
    std::string where;
  };

  /// The answers that were not known, by number.
  std::map<int, std::string> read(std::string_view lines, const std::filesystem::path& file);

  AppendedFile own_;
  std::vector<AppendedFile> others_;  // held, that nobody writes them
  std::map<int, Known> known_;
  std::map<int, std::string> to_merge_;
};

}  // namespace unmask
