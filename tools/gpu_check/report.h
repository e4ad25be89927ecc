// What the check of a GPU finds: one table for people, the same as JSON for programs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
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
  /// Prints one line at once: a run that is cut short has shown what it found.
  void add(Finding finding);
  /// A part that could not run counts as failed.
  void fail(const std::string& part, const std::string& reason);
  bool passed() const;
  nlohmann::ordered_json json() const;

 private:
  std::vector<Finding> findings_;
};

}  // namespace unmask::tools
