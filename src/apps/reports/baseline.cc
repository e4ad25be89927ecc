#include "apps/reports/baseline.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/json_file.h"

namespace unmask {

std::vector<Target> read_baseline(const std::filesystem::path& file) {
  const nlohmann::json rows = read_json_file(file);
  std::vector<Target> targets;
  try {
    for (const nlohmann::json& row : rows) {
      const bool at_most = row.contains("at_most");
      targets.push_back({row.at("what"),
                         {row.at("figure"), row.at("least"), row.at("most")},
                         row.at(at_most ? "at_most" : "at_least"),
                         at_most,
                         row.at("next_to")});
    }
  } catch (const nlohmann::json::exception&) {
    fail("[bench] {}: no baseline, which is a list of targets as --save writes it", file.string());
  }
  return targets;
}

std::vector<TargetChange> compare_targets(const std::vector<Target>& before,
                                          const std::vector<Target>& now) {
  std::vector<TargetChange> changes;
  for (const Target& target : now) {
    const auto old = std::ranges::find(before, target.what, &Target::what);
    if (old == before.end()) continue;
    const bool below = target.figure.most < old->figure.least;
    const bool above = target.figure.least > old->figure.most;
    changes.push_back({.what = target.what,
                       .before = old->figure,
                       .now = target.figure,
                       .worse = target.at_most ? above : below,
                       .better = target.at_most ? below : above});
  }
  return changes;
}

std::string changes_text(const std::vector<TargetChange>& changes) {
  std::string text;
  ptrdiff_t steady = 0;
  for (const TargetChange& c : changes) {
    if (!c.worse && !c.better) {
      ++steady;
      continue;
    }
    text += fmt::format("{:<6} {:.2f} ({:.2f}-{:.2f}), was {:.2f} ({:.2f}-{:.2f})  {}\n",
                        c.worse ? "WORSE" : "better", c.now.median, c.now.least, c.now.most,
                        c.before.median, c.before.least, c.before.most, c.what);
  }
  return text +
         fmt::format("{} of {} are as they were, within their spread\n", steady, changes.size());
}

}  // namespace unmask
