#include "eval/store.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <set>
#include <sys/file.h>
#include <unistd.h>

#include "core/error.h"
#include "core/list_folder.h"
#include "io/json_file.h"

namespace unmask {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxBytes = size_t{4} << 30;

/// Names the first setting that differs.
void check_same(const nlohmann::json& found, const Json& wanted, const std::string& file) {
  for (const auto& [name, value] : wanted.items()) {
    const std::string then = found.contains(name) ? found[name].dump() : "nothing";
    if (then == value.dump()) continue;
    fail(ErrorCode::results_exist, "[eval] {}: holds results with {} {}, but this run has {}", file,
         name, printable(then), printable(value.dump()));
  }
}

/// Bytes up to the last line break.
size_t complete_lines(std::string_view text) { return text.rfind('\n') + 1; }

[[noreturn]] void refuse(const fs::path& file, const char* what) {
  fail("[eval] {}: {}: {}", file.string(), what, std::strerror(errno));
}

}  // namespace

ResultStore::ResultStore(const std::optional<std::string>& folder, const Json& settings,
                         const Shard& shard) {
  if (!folder) return;
  std::error_code error;
  fs::create_directories(*folder, error);
  if (error) fail("[eval] {}: cannot be created: {}", *folder, error.message());
  file_ = fs::path(*folder) /
          (shard.whole() ? "results.jsonl" : fmt::format("results.{}.jsonl", shard.name()));
  try {
    descriptor_ = open_alone(file_, O_RDWR | O_APPEND | O_CREAT);
    read_own(settings);
    for (const fs::path& file : list_folder(*folder)) {
      const std::string name = file.filename().string();
      if (file == file_ || !name.starts_with("results.") || !name.ends_with(".jsonl")) continue;
      if (shard.whole()) others_.push_back(open_alone(file, O_RDONLY));
      read_other(file, settings);
    }
  } catch (...) {
    close_all();  // no destructor runs
    throw;
  }
}

ResultStore::~ResultStore() { close_all(); }

void ResultStore::close_all() {
  if (descriptor_ >= 0) close(descriptor_);
  for (const int other : others_) close(other);
}

int ResultStore::open_alone(const fs::path& file, int flags) {
  const int opened = open(file.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (opened < 0) refuse(file, "cannot be opened");
  if (flock(opened, LOCK_EX | LOCK_NB) == 0) return opened;
  const int error = errno;
  close(opened);
  errno = error;
  if (error != EWOULDBLOCK) refuse(file, "cannot be locked");
  fail(ErrorCode::results_exist, "[eval] {}: another process writes its results there",
       file.parent_path().string());
}

void ResultStore::read_own(const Json& settings) {
  const std::string text = read_text_file(file_, kMaxBytes);
  const size_t complete = complete_lines(text);
  if (complete < text.size() && ftruncate(descriptor_, static_cast<off_t>(complete)) != 0) {
    refuse(file_, "cannot be written");
  }
  if (complete == 0) append(json_line({{"settings", settings}}));
  read_lines(std::string_view(text).substr(0, complete), file_, settings);
}

void ResultStore::read_other(const fs::path& file, const Json& settings) {
  const std::string text = read_text_file(file, kMaxBytes);
  read_lines(std::string_view(text).substr(0, complete_lines(text)), file, settings);
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

void ResultStore::append(const std::string& line) {
  for (size_t at = 0; at < line.size();) {
    const ssize_t written = write(descriptor_, line.data() + at, line.size() - at);
    if (written < 0 && errno != EINTR) refuse(file_, "cannot be written");
    at += static_cast<size_t>(std::max<ssize_t>(written, 0));
  }
}

void ResultStore::add(Record record) {
  UNMASK_CHECK(!known_.contains(record.key), "an example is answered once");
  if (descriptor_ >= 0) append(json_line(to_json(record)));
  known_.emplace(record.key, records_.size());
  records_.push_back(std::move(record));
}

}  // namespace unmask
