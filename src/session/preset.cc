#include "session/preset.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "session/request_builder.h"

namespace unmask {

namespace {

constexpr int kBlock = 32;  // of the evaluations in arXiv 2505.22618

// The thresholds are the lowest that keep to the points, by the table of presets in
// docs/evaluation.md: at the 0.9 of arXiv 2505.22618 the embedded model loses 3.4.
constexpr double kSure = 0.995;
constexpr double kLikely = 0.95;

constexpr std::array kPresets{
    PresetSettings{Preset::exact, "exact", "the published sampler, step by step", "full", {}, {}},
    PresetSettings{Preset::balanced, "balanced",
                   "cached blocks, sure tokens together; at most a point below exact",
                   "fast-dllm:cache=dual", kSure, kBlock},
    PresetSettings{Preset::fast, "fast",
                   "cached blocks, likely tokens together; at most three points below exact",
                   "fast-dllm:cache=dual", kLikely, kBlock},
};

/// Whether decisions may wait for a probability, as far as the user's own choices go.
bool takes_threshold(const RequestOptions& o) {
  const bool counted = o.steps || o.tokens_per_step || o.factor || o.alg_temp.value_or(0) > 0;
  if (counted) return false;
  if (!o.algorithm) return true;
  const Algorithm algorithm = parse_algorithm(*o.algorithm);
  return algorithm == Algorithm::low_confidence || algorithm == Algorithm::maskgit_plus;
}

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

RequestOptions with_preset(RequestOptions options, const ModelConfig& config) {
  const PresetSettings& preset = settings_of(options.preset);
  const bool threshold = preset.threshold && !options.threshold && takes_threshold(options);
  if (threshold) options.threshold = preset.threshold;
  if (!options.method) {
    // The blocks of such a model never change again, so its cache costs nothing.
    const bool cached = config.visibility.is_block_causal() && options.preset != Preset::exact;
    options.method = cached ? "block-cache" : preset.method;
  }
  if (!options.block_length) options.block_length = preset.block_length;
  return options;
}

}  // namespace unmask
