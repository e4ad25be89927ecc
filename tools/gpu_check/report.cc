#include "gpu_check/report.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace unmask::tools {

void Report::add(Finding f) {
  std::string verdict = f.at_most || f.at_least ? (f.passed() ? "ok" : "FAILED") : "";
  if (f.at_most) verdict += fmt::format(" (at most {:.4g})", *f.at_most);
  if (f.at_least) verdict += fmt::format(" (at least {:.4g})", *f.at_least);
  fmt::print("{:10} {:58} {:>11.5g} {:8} {}\n", f.part, f.what, f.value, f.unit, verdict);
  std::fflush(stdout);
  findings_.push_back(std::move(f));
  if (!path_.empty()) write();
}

void Report::write() const {
  nlohmann::ordered_json document = about_;
  document["findings"] = json();
  const std::string unfinished = path_ + ".part";
  std::ofstream file(unfinished);
  file << document.dump(1) << "\n";
  file.close();
  std::error_code error;
  if (file) std::filesystem::rename(unfinished, path_, error);
  if (!file || error) unmask::fail("[output] {}: cannot be written", path_);
}

void Report::fail(const std::string& part, const std::string& reason) {
  add({.part = part, .what = reason, .value = 1, .unit = "failures", .at_most = 0});
}

bool Report::passed() const {
  return std::all_of(findings_.begin(), findings_.end(),
                     [](const Finding& f) { return f.passed(); });
}

nlohmann::ordered_json Report::json() const {
  auto list = nlohmann::ordered_json::array();
  for (const Finding& f : findings_) {
    nlohmann::ordered_json entry{
        {"part", f.part}, {"what", f.what}, {"value", f.value}, {"unit", f.unit}};
    if (f.at_most) entry["at_most"] = *f.at_most;
    if (f.at_least) entry["at_least"] = *f.at_least;
    if (f.at_most || f.at_least) entry["passed"] = f.passed();
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace unmask::tools
