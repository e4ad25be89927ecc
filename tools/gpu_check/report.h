// What the check of a GPU finds: one table for people, the same as JSON for programs.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace unmask::tools {

struct Finding {
  std::string part;  // of the check
  std::string what;
  double value = 0;
  std::string unit;
  std::optional<double> at_most{};  // a finding with a bound passes or fails
  std::optional<double> at_least{};

  bool passed() const {
    return (!at_most || value <= *at_most) && (!at_least || value >= *at_least);
  }
};

class Report {
 public:
  /// `about` heads the findings in the file at `path`; none is written where that is empty.
  Report(nlohmann::ordered_json about, std::string path)
      : about_(std::move(about)), path_(std::move(path)) {}

  /// Prints one line and writes the file at once: a run that is cut short leaves what it found.
  /// Throws Error where the file cannot be written.
  void add(Finding finding);
  /// A part that could not run counts as failed.
  void fail(const std::string& part, const std::string& reason);
  bool passed() const;

 private:
  nlohmann::ordered_json json() const;
  void write() const;

  nlohmann::ordered_json about_;
  std::string path_;
  std::vector<Finding> findings_;
};

}  // namespace unmask::tools
