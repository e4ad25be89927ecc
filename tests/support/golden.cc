#include "support/golden.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <stdexcept>

namespace unmask::golden {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

const fs::path kOwnRoot = UNMASK_OWN_GOLDEN;

std::vector<std::function<bool(const Case&)>>& claims() {
  static std::vector<std::function<bool(const Case&)>> list;
  return list;
}

/// case.json, index.json and expected.json always are cases; other JSON files only if they say
/// which kind of test list they are (vocabularies and configs do not).
std::optional<Case> read_case(const fs::path& file) {
  if (file.extension() != ".json") return std::nullopt;
  const fs::path name = file.filename();
  const bool named = name == "case.json" || name == "index.json" || name == "expected.json";
  if (!named && fs::file_size(file) > (8U << 20)) return std::nullopt;
  std::ifstream in(file);
  json content = json::parse(in, nullptr, /*allow_exceptions=*/false);
  // Vocabularies have the words "kind" and "cases" too, with numbers.
  const bool has_kind =
      content.is_object() && content.contains("kind") && content["kind"].is_string();
  const bool listed = has_kind && (content.contains("cases") || content.contains("reference"));
  if (!named && !listed) return std::nullopt;
  return Case{file, std::move(content)};
}

std::vector<Case> discover() {
  std::vector<Case> found;
  for (auto it = fs::recursive_directory_iterator(root()); it != fs::recursive_directory_iterator();
       ++it) {
    // The folders of the malformed set hold broken JSON on purpose; its index names them.
    if (it->is_directory() && it->path().parent_path().filename() == "malformed") {
      it.disable_recursion_pending();
    }
    if (!it->is_regular_file()) continue;
    if (auto one = read_case(it->path())) found.push_back(std::move(*one));
  }
  std::sort(found.begin(), found.end(),
            [](const Case& a, const Case& b) { return a.file < b.file; });
  return found;
}

fs::path search(const fs::path& below, const std::string& name, const std::string& file) {
  for (const auto& entry : fs::recursive_directory_iterator(below)) {
    if (entry.is_directory() && entry.path().filename() == name &&
        fs::exists(entry.path() / file)) {
      return entry.path();
    }
  }
  return {};
}

}  // namespace

std::string Case::kind() const {
  if (!json.is_object()) return "";
  if (json.contains("kind")) return json["kind"].get<std::string>();
  return json.value("method", "");
}

std::string Case::label() const { return fs::relative(file, root()).string(); }

fs::path root() {
  const char* chosen = std::getenv("UNMASK_GOLDEN");
  return chosen != nullptr && *chosen != '\0' ? fs::path(chosen) : kOwnRoot;
}

bool is_foreign_root() { return fs::canonical(root()) != fs::canonical(kOwnRoot); }

const std::vector<Case>& all_cases() {
  static const std::vector<Case> cases = discover();
  return cases;
}

fs::path find_folder(const std::string& name, const std::string& file) {
  const std::string last = fs::path(name.substr(0, name.find(' '))).filename().string();
  for (const fs::path& base : {root(), kOwnRoot}) {
    fs::path found = search(base, last, file);
    if (!found.empty()) return found;
  }
  throw std::runtime_error("golden data: no folder '" + last + "' with a file " + file);
}

Claim::Claim(std::function<bool(const Case&)> understands) : understands_(std::move(understands)) {
  claims().push_back(understands_);
}

std::vector<Case> Claim::cases() const {
  std::vector<Case> mine;
  std::copy_if(all_cases().begin(), all_cases().end(), std::back_inserter(mine), understands_);
  return mine;
}

std::vector<Case> unclaimed() {
  std::vector<Case> rest;
  std::copy_if(all_cases().begin(), all_cases().end(), std::back_inserter(rest), [](const Case& c) {
    return std::none_of(claims().begin(), claims().end(),
                        [&](const auto& understands) { return understands(c); });
  });
  return rest;
}

std::string test_name(const ::testing::TestParamInfo<Case>& info) {
  std::string name = info.param.label();
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

void PrintTo(const Case& test_case, std::ostream* out) { *out << test_case.label(); }

}  // namespace unmask::golden
