// Experiments by name: which tasks at which lengths with which methods.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace unmask {

struct Preset {
  std::string_view name{};
  std::string_view what{};  // for help texts
  std::vector<std::string> tasks{};
  std::vector<int> lengths{};
  std::vector<std::string> methods{};  // the first is what the others are compared with
};

std::span<const Preset> presets();
/// Throws Error listing the names for an unknown one.
const Preset& preset(std::string_view name);
std::vector<std::string> preset_names();

}  // namespace unmask
