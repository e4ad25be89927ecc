#include "model/rotations.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace unmask {

namespace {

/// Elements of a head that are rotated.
int rotated(const ModelConfig& config) {
  return config.rotary_dim > 0 ? config.rotary_dim : config.head_dim;
}

/// The base of a rotation whose lowest frequency falls by `stretch` while the highest stays.
float stretched_theta(const ModelConfig& config, double stretch) {
  const double dim = rotated(config);
  return static_cast<float>(config.rope_theta * std::pow(stretch, dim / (dim - 2)));
}

double dynamic_stretch(const ModelConfig& config, int length) {
  const double factor = config.rope.factor;
  const double positions = config.max_positions;
  return factor * std::max<double>(length, positions) / positions - (factor - 1);
}

/// The dimension whose pair makes so many turns over the original context.
double dimension_of_turns(const ModelConfig& config, double turns) {
  return rotated(config) *
         std::log(config.rope.original_positions / (turns * 2 * std::numbers::pi)) /
         (2 * std::log(static_cast<double>(config.rope_theta)));
}

/// Fast pairs keep their frequency, slow ones are interpolated, with a ramp between.
void apply_yarn(const ModelConfig& config, Rotation& rotation) {
  const RopeScaling& rope = config.rope;
  double low = dimension_of_turns(config, rope.beta_fast);
  double high = dimension_of_turns(config, rope.beta_slow);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min<double>(high, rotated(config) - 1);
  if (low == high) high += 0.001;
  for (size_t i = 0; i < rotation.frequencies.size(); ++i) {
    float& frequency = rotation.frequencies[i];
    const double ramp = (static_cast<double>(i) - low) / (high - low);
    const auto interpolated = static_cast<float>(std::clamp(ramp, 0.0, 1.0));
    frequency = frequency / rope.factor * interpolated + frequency * (1 - interpolated);
  }
  rotation.scale = rope.attention_factor;
}

/// As YaRN's ramp, but over wavelengths.
void apply_llama3(const RopeScaling& rope, Rotation& rotation) {
  const auto original = static_cast<float>(rope.original_positions);
  for (float& frequency : rotation.frequencies) {
    const float turns = original * frequency / (2 * std::numbers::pi_v<float>);
    const float kept =
        std::clamp((turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor),
                   0.0F, 1.0F);
    frequency = (1 - kept) * frequency / rope.factor + kept * frequency;
  }
}

}  // namespace

Rotation make_rotation(const ModelConfig& config, int length) {
  const RopeScaling& rope = config.rope;
  float theta = config.rope_theta;
  if (rope.kind == RopeKind::ntk) theta = stretched_theta(config, rope.factor);
  if (rope.kind == RopeKind::dynamic && length > config.max_positions) {
    theta = stretched_theta(config, dynamic_stretch(config, length));
  }
  Rotation rotation = plain_rotation(rotated(config), theta);
  if (rope.kind == RopeKind::yarn) apply_yarn(config, rotation);
  if (rope.kind == RopeKind::llama3) apply_llama3(rope, rotation);
  if (rope.kind == RopeKind::linear) {
    for (float& frequency : rotation.frequencies) frequency /= rope.factor;
  }
  // The rest of a head is turned by nothing; weights.h says how the pairs come to lie there.
  rotation.frequencies.resize(static_cast<size_t>(config.head_dim) / 2);
  return rotation;
}

}  // namespace unmask
