// Settings by name, from the published sampler to the fastest that still answers well.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace unmask {

enum class Preset : uint8_t { exact, balanced, fast };

/// What a preset sets; what is open follows from the model.
struct PresetSettings {
  Preset preset = Preset::exact;
  std::string_view name{};
  std::string_view what{};  // a phrase for people
  std::string_view method{};
  std::optional<double> threshold{};
  std::optional<int> block_length{};
};

std::span<const PresetSettings> presets();
const PresetSettings& settings_of(Preset preset);
std::string_view preset_name(Preset preset);
std::vector<std::string> preset_names();
/// Throws Error listing the names for an unknown one.
Preset parse_preset(std::string_view name);

}  // namespace unmask
