#include "eval/store.h"

#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"
#include "core/list_folder.h"
#include "io/json_file.h"

namespace unmask {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kArea = "[eval]";

/// Names the first setting that differs.
void check_same(const nlohmann::json& found, const Json& wanted, const std::string& file) {
  for (const auto& [name, value] : wanted.items()) {
    const std::string then = found.contains(name) ? found[name].dump() : "nothing";
    if (then == value.dump()) continue;
    fail(ErrorCode::results_exist, "[eval] {}: holds results with {} {}, but this run has {}", file,
         name, printable(then), printable(value.dump()));
  }
}

}  // namespace

ResultStore::ResultStore(const std::optional<std::string>& folder, const Json& settings,
                         const Shard& shard) {
  if (!folder) return;
  std::error_code error;
  fs::create_directories(*folder, error);
  if (error) fail("[eval] {}: cannot be created: {}", *folder, error.message());
  own_.emplace(kArea,
               fs::path(*folder) / (shard.whole() ? "results.jsonl"
                                                  : fmt::format("results.{}.jsonl", shard.name())),
               AppendedFile::Use::append);
  const std::string lines = own_->take_lines();
  if (lines.empty()) own_->append(json_line({{"settings", settings}}));
  read_lines(lines, own_->path(), settings);
  for (const fs::path& file : list_folder(*folder)) {
    const std::string name = file.filename().string();
    if (file == own_->path() || !name.starts_with("results.") || !name.ends_with(".jsonl"))
      continue;
    if (shard.whole()) {
      others_.emplace_back(kArea, file, AppendedFile::Use::read);
      read_lines(others_.back().take_lines(), file, settings);
    } else {
      read_lines(complete_lines(file), file, settings);
    }
  }
}

void ResultStore::read_lines(std::string_view text, const fs::path& file, const Json& settings) {
  std::set<RecordKey> seen;
  int line_number = 0;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string where = fmt::format("[eval] {}:{}", file.string(), ++line_number);
    const nlohmann::json line = parse_json(text.substr(0, end), where);
    text.remove_prefix(end + 1);
    if (line_number > 1) {
      Record record = parse_record(line, where);
      if (!seen.insert(record.key).second) {
        fail("{}: a second result of example {} of {} by {}", where, record.key.index,
             printable(record.key.task), printable(record.key.method));
      }
      // Shares of different sizes may both have answered it, and alike.
      if (known_.emplace(record.key, records_.size()).second) records_.push_back(std::move(record));
    } else if (line.is_object() && line.contains("settings")) {
      check_same(line["settings"], settings, file.string());
    } else {
      fail(ErrorCode::results_exist, "{}: no results of an evaluation", where);
    }
  }
}

const Record* ResultStore::find(const RecordKey& key) const {
  const auto found = known_.find(key);
  return found == known_.end() ? nullptr : &records_[found->second];
}

void ResultStore::add(Record record) {
  UNMASK_CHECK(!known_.contains(record.key), "an example is answered once");
  if (own_) own_->append(json_line(to_json(record)));
  known_.emplace(record.key, records_.size());
  records_.push_back(std::move(record));
}

}  // namespace unmask
