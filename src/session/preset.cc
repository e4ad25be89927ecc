#include "session/preset.h"

#include <algorithm>
#include <array>

#include "core/error.h"

namespace unmask {

namespace {

constexpr int kBlock = 32;  // of the evaluations in arXiv 2505.22618

// The lowest of those in docs/evaluation.md#presets that keep to the points.
constexpr double kSure = 0.995;
constexpr double kLikely = 0.95;

// Of a prompt of 1,024 and 256 tokens a third of the rows that refresh=full feeds.
constexpr std::string_view kCache = "fast-dllm:cache=dual,refresh=window";

constexpr std::array kPresets{
    PresetSettings{Preset::exact, "exact", "the published sampler, step by step", "full", {}, {}},
    PresetSettings{Preset::balanced, "balanced",
                   "cached blocks, sure tokens together; at most a point below exact", kCache,
                   kSure, kBlock},
    PresetSettings{Preset::fast, "fast",
                   "cached blocks, likely tokens together; at most three points below exact",
                   kCache, kLikely, kBlock},
};

}  // namespace

std::span<const PresetSettings> presets() { return kPresets; }

const PresetSettings& settings_of(Preset preset) { return kPresets[static_cast<size_t>(preset)]; }

std::string_view preset_name(Preset preset) { return settings_of(preset).name; }

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  names.reserve(kPresets.size());
  for (const PresetSettings& p : kPresets) names.emplace_back(p.name);
  return names;
}

Preset parse_preset(std::string_view name) {
  const auto* found = std::find_if(kPresets.begin(), kPresets.end(),
                                   [&](const PresetSettings& p) { return p.name == name; });
  if (found == kPresets.end()) {
    fail("[preset] unknown preset '{}'; there is {}", printable(name),
         fmt::join(preset_names(), ", "));
  }
  return found->preset;
}

}  // namespace unmask
