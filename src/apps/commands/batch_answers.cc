#include "apps/commands/batch_answers.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"
#include "core/list_folder.h"
#include "core/parse_number.h"
#include "io/json_file.h"
#include "io/json_members.h"

namespace unmask {

namespace fs = std::filesystem;

namespace {

constexpr const char* kArea = "[batch]";
constexpr const char* kItem = "batch_item";
constexpr size_t kMaxLine = size_t{64} << 20;

fs::path own_file(const fs::path& file, const Shard& shard) {
  if (shard.whole()) return file;
  fs::path own = file;
  return own.replace_filename(file.stem().string() + "." + shard.name() +
                              file.extension().string());
}

/// The share in the name of a file of `whole`'s; empty: it is none.
std::string share_in(const fs::path& file, const fs::path& whole) {
  const std::string name = file.filename().string();
  const std::string begin = whole.stem().string() + ".";
  const std::string end = whole.extension().string();
  if (name.size() <= begin.size() + end.size()) return {};
  if (!name.starts_with(begin) || !name.ends_with(end)) return {};
  std::string share = name.substr(begin.size(), name.size() - begin.size() - end.size());
  return share.find("-of-") == std::string::npos ? "" : share;
}

/// Of an answer's line, as BatchAnswers::put wrote it.
BatchItem item_of(std::string_view line, const std::string& where) {
  const auto answer = parse_json(without_numbers(line), where, {.max_bytes = kMaxLine});
  const std::string text = answer.is_object() ? answer.value(kItem, "") : "";
  const size_t dash = text.find('-');
  const auto number = parse_number<int>(std::string_view(text).substr(0, dash));
  const std::string hash = dash == std::string::npos ? "" : text.substr(dash + 1);
  if (!number || hash.size() != 16 || hash.find_first_not_of("0123456789abcdef") != hash.npos) {
    fail(ErrorCode::results_exist, "{}: found no answer of a batch, expected one in every line",
         where);
  }
  return {*number, std::stoull(hash, nullptr, 16)};
}

}  // namespace

BatchAnswers::BatchAnswers(const fs::path& file, const Shard& shard)
    : own_(kArea, own_file(file, shard), AppendedFile::Use::append) {
  read(own_.take_lines(), own_.path());
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  for (const fs::path& other : list_folder(folder)) {
    if (other.filename() == own_.path().filename()) continue;
    if (other.filename() != file.filename() && share_in(other, file).empty()) continue;
    if (shard.whole()) {
      others_.emplace_back(kArea, other, AppendedFile::Use::read);
      to_merge_.merge(read(others_.back().take_lines(), other));
    } else {
      read(complete_lines(other), other);
    }
  }
}

void BatchAnswers::merge() {
  for (const auto& [number, line] : to_merge_) add(line);
  to_merge_.clear();
}

std::map<int, std::string> BatchAnswers::read(std::string_view lines, const fs::path& file) {
  std::map<int, std::string> fresh;
  for (int number = 1; !lines.empty(); ++number) {
    const std::string where = fmt::format("{} {}:{}", kArea, file.string(), number);
    const std::string_view line = lines.substr(0, lines.find('\n') + 1);
    lines.remove_prefix(line.size());
    const BatchItem item = item_of(line, where);
    const auto [known, first] = known_.try_emplace(item.number, Known{item.fingerprint, where});
    if (first) fresh.emplace(item.number, line);
    if (known->second.fingerprint == item.fingerprint) continue;
    fail(ErrorCode::results_exist, "{}: answers something else than {} has as line {}", where,
         known->second.where, item.number);
  }
  return fresh;
}

bool BatchAnswers::has(const BatchItem& item) const {
  const auto known = known_.find(item.number);
  if (known == known_.end()) return false;
  if (known->second.fingerprint == item.fingerprint) return true;
  fail(ErrorCode::results_exist,
       "{}: answers another line {}, or with another model or other settings; expected a file of "
       "this run",
       known->second.where, item.number);
}

void BatchAnswers::put(const BatchItem& item, nlohmann::ordered_json& answer) {
  answer[kItem] = fmt::format("{}-{:016x}", item.number, item.fingerprint);
}

}  // namespace unmask
