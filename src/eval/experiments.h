// Experiments by name: which tasks at which lengths with which methods.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace unmask {

struct Experiment {
  std::string_view name{};
  std::string_view what{};  // for help texts
  std::vector<std::string> tasks{};
  std::vector<int> lengths{};
  std::vector<std::string> methods{};    // as in EvalSettings
  std::optional<int> tokens_per_step{};  // of the methods
};

std::span<const Experiment> experiments();
/// Throws Error listing the names for an unknown one.
const Experiment& experiment(std::string_view name);
std::vector<std::string> experiment_names();

}  // namespace unmask
