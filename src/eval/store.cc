#include "eval/store.h"

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

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
  file_ = fs::path(*folder) / "results.jsonl";
  if (fs::exists(file_)) read(settings);
  const bool fresh = !fs::exists(file_) || fs::file_size(file_) == 0;
  stream_.open(file_, std::ios::binary | std::ios::app);
  if (fresh) append(json_line({{"settings", settings}}));
}

void ResultStore::read(const Json& settings) {
  const std::string text = read_text_file(file_, kMaxBytes);
  const size_t complete = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
  int line_number = 0;
  for (size_t begin = 0; begin < complete;) {
    const size_t end = text.find('\n', begin);
    const std::string where = fmt::format("[eval] {}:{}", file_.string(), ++line_number);
    const nlohmann::json line =
        parse_json(std::string_view(text).substr(begin, end - begin), where);
    begin = end + 1;
    if (line_number > 1) {
      take(parse_record(line, where));
    } else if (line.is_object() && line.contains("settings")) {
      check_same(line["settings"], settings, file_.string());
    } else {
      fail(ErrorCode::results_exist, "{}: no results of an evaluation", where);
    }
  }
  if (complete < text.size()) fs::resize_file(file_, complete);
}

void ResultStore::take(Record record) {
  known_.insert(record.key);
  records_.push_back(std::move(record));
}

void ResultStore::append(const std::string& line) {
  if (!(stream_ << line << std::flush)) {
    fail("[eval] {}: cannot be written: {}", file_.string(), std::strerror(errno));
  }
}

void ResultStore::add(Record record) {
  if (!file_.empty()) append(json_line(to_json(record)));
  take(std::move(record));
}

}  // namespace unmask
