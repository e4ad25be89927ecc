#include "eval/store.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <unistd.h>

#include "core/error.h"
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

}  // namespace

ResultStore::ResultStore(const std::optional<std::string>& folder, const Json& settings) {
  if (!folder) return;
  std::error_code error;
  fs::create_directories(*folder, error);
  if (error) fail("[eval] {}: cannot be created: {}", *folder, error.message());
  open_file(*folder);
  try {
    read(settings);
  } catch (...) {
    close(descriptor_);  // no destructor runs
    throw;
  }
}

ResultStore::~ResultStore() {
  if (descriptor_ >= 0) close(descriptor_);
}

void ResultStore::open_file(const fs::path& folder) {
  file_ = folder / "results.jsonl";
  descriptor_ = open(file_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (descriptor_ < 0) refuse("cannot be opened");
  if (flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  const int error = errno;
  close(descriptor_);
  errno = error;
  if (error != EWOULDBLOCK) refuse("cannot be locked");
  fail(ErrorCode::results_exist, "[eval] {}: another process writes its results there",
       folder.string());
}

void ResultStore::read(const Json& settings) {
  const std::string text = read_text_file(file_, kMaxBytes);
  const size_t complete = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
  if (complete < text.size() && ftruncate(descriptor_, static_cast<off_t>(complete)) != 0) {
    refuse("cannot be written");
  }
  if (complete == 0) append(json_line({{"settings", settings}}));
  int line_number = 0;
  for (size_t begin = 0; begin < complete;) {
    const size_t end = text.find('\n', begin);
    const std::string where = fmt::format("[eval] {}:{}", file_.string(), ++line_number);
    const nlohmann::json line =
        parse_json(std::string_view(text).substr(begin, end - begin), where);
    begin = end + 1;
    if (line_number > 1) {
      take(parse_record(line, where), where);
    } else if (line.is_object() && line.contains("settings")) {
      check_same(line["settings"], settings, file_.string());
    } else {
      fail(ErrorCode::results_exist, "{}: no results of an evaluation", where);
    }
  }
}

void ResultStore::take(Record record, const std::string& where) {
  if (!known_.emplace(record.key, records_.size()).second) {
    fail("{}: a second result of example {} of {} by {}", where, record.key.index,
         printable(record.key.task), printable(record.key.method));
  }
  records_.push_back(std::move(record));
}

const Record* ResultStore::find(const RecordKey& key) const {
  const auto found = known_.find(key);
  return found == known_.end() ? nullptr : &records_[found->second];
}

void ResultStore::append(const std::string& line) {
  for (size_t at = 0; at < line.size();) {
    const ssize_t written = write(descriptor_, line.data() + at, line.size() - at);
    if (written < 0 && errno != EINTR) refuse("cannot be written");
    at += static_cast<size_t>(std::max<ssize_t>(written, 0));
  }
}

void ResultStore::refuse(const char* what) const {
  fail("[eval] {}: {}: {}", file_.string(), what, std::strerror(errno));
}

void ResultStore::add(Record record) {
  if (descriptor_ >= 0) append(json_line(to_json(record)));
  take(std::move(record), "[eval]");
}

}  // namespace unmask
