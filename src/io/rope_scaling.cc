#include "io/rope_scaling.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <vector>

#include "core/error.h"
#include "io/config_reader.h"

namespace unmask {

namespace {

constexpr int kMaxPositions = 1 << 24;  // some 100 times the most of any model

struct KindName {
  RopeKind kind;
  std::string_view name;
};
constexpr std::array kKinds{
    KindName{RopeKind::plain, "default"}, KindName{RopeKind::linear, "linear"},
    KindName{RopeKind::ntk, "ntk"},       KindName{RopeKind::dynamic, "dynamic"},
    KindName{RopeKind::yarn, "yarn"},     KindName{RopeKind::llama3, "llama3"}};

/// The object that says how positions are stretched; rope_scaling wins where both are there, as in
/// the transformers library.
std::optional<ConfigReader> find_section(const ConfigReader& config) {
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    std::optional<ConfigReader> section = config.section(key);
    if (!section) continue;
    // transformers 5 nests once more where kinds of layers differ; these models have one kind.
    if (auto inner = section->section("full_attention")) return inner;
    return section;
  }
  return std::nullopt;
}

RopeKind read_kind(const ConfigReader& section) {
  std::optional<std::string> name = section.optional_string("rope_type");
  if (!name) name = section.optional_string("type");
  if (!name && !section.has("factor")) return RopeKind::plain;
  if (!name) section.reject("rope_type", "is missing");
  for (const KindName& known : kKinds) {
    if (known.name == *name) return known.kind;
  }
  std::vector<std::string_view> names;
  names.reserve(kKinds.size());
  for (const KindName& known : kKinds) names.push_back(known.name);
  section.reject("rope_type", fmt::format("is '{}', only {} are implemented", printable(*name),
                                          fmt::join(names, ", ")));
}

float read_factor(const ConfigReader& section) {
  const float factor = section.positive("factor");
  if (factor < 1) section.reject("factor", fmt::format("is {}, expected at least 1", factor));
  return factor;
}

float positive_or(const ConfigReader& section, const char* key, float fallback) {
  // Zero stands for the default, as in the reference.
  return section.optional_float(key).value_or(0) == 0 ? fallback : section.positive(key);
}

/// Scale of what is rotated, by YaRN's rule for a factor.
double yarn_scale(double factor, double multiplier) {
  return factor <= 1 ? 1 : 0.1 * multiplier * std::log(factor) + 1;
}

void read_yarn(const ConfigReader& section, int positions, RopeScaling& scaling) {
  const bool has_original = section.has("original_max_position_embeddings");
  scaling.original_positions =
      has_original ? section.size("original_max_position_embeddings", kMaxPositions) : positions;
  const double ratio = static_cast<double>(positions) / scaling.original_positions;
  scaling.factor = section.has("factor") || !has_original
                       ? read_factor(section)
                       : static_cast<float>(std::max(1.0, ratio));
  scaling.beta_fast = positive_or(section, "beta_fast", scaling.beta_fast);
  scaling.beta_slow = positive_or(section, "beta_slow", scaling.beta_slow);
  scaling.truncate = section.optional_flag("truncate").value_or(true);
  const float own = section.optional_float("mscale").value_or(0);
  const float all = section.optional_float("mscale_all_dim").value_or(0);
  double scale = yarn_scale(scaling.factor, 1);
  if (own != 0 && all != 0)
    scale = yarn_scale(scaling.factor, own) / yarn_scale(scaling.factor, all);
  scaling.attention_factor = section.has("attention_factor") ? section.positive("attention_factor")
                                                             : static_cast<float>(scale);
}

void read_llama3(const ConfigReader& section, RopeScaling& scaling) {
  scaling.factor = read_factor(section);
  scaling.original_positions = section.size("original_max_position_embeddings", kMaxPositions);
  scaling.low_freq_factor = section.positive("low_freq_factor");
  scaling.high_freq_factor = section.positive("high_freq_factor");
  if (scaling.high_freq_factor <= scaling.low_freq_factor) {
    section.reject("high_freq_factor", "is not above low_freq_factor");
  }
}

RopeScaling read_scaling(const ConfigReader& section, int positions) {
  RopeScaling scaling{.kind = read_kind(section), .original_positions = positions};
  switch (scaling.kind) {
    case RopeKind::plain: break;
    case RopeKind::linear:
    case RopeKind::ntk:
    case RopeKind::dynamic: scaling.factor = read_factor(section); break;
    case RopeKind::yarn: read_yarn(section, positions, scaling); break;
    case RopeKind::llama3: read_llama3(section, scaling); break;
  }
  return scaling;
}

}  // namespace

std::string_view rope_kind_name(RopeKind kind) {
  for (const KindName& known : kKinds) {
    if (known.kind == kind) return known.name;
  }
  return "unknown";
}

RopeSettings read_rope(const ConfigReader& config, int positions, bool partial) {
  const std::optional<ConfigReader> section = find_section(config);
  if (!partial) config.accept_only("partial_rotary_factor", 1);
  if (!section) return {.theta = config.positive("rope_theta")};
  if (partial)
    config.reject("rope_scaling",
                  "is set, which is not implemented with partial rotary embeddings");
  section->accept_only("partial_rotary_factor", 1);
  const bool theta_inside = section->has("rope_theta");
  return {.theta = (theta_inside ? *section : config).positive("rope_theta"),
          .scaling = read_scaling(*section, positions)};
}

}  // namespace unmask
