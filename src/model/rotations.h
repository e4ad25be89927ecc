// The frequencies of rotary embeddings that a model's configuration asks for.
#pragma once

#include "io/model_config.h"
#include "kernels/rotation.h"

namespace unmask {

/// For a canvas of `length` positions; only RopeKind::dynamic depends on it. The formulas are those
/// of the transformers library (modeling_rope_utils.py).
Rotation make_rotation(const ModelConfig& config, int length);

/// The same, kept from call to call.
class Rotations {
 public:
  /// `config` outlives the rotations.
  explicit Rotations(const ModelConfig& config)
      : config_(config), rotation_(make_rotation(config, 0)) {}

  /// Canvases of different lengths are rotated differently.
  bool follow_length() const { return config_.rope.kind == RopeKind::dynamic; }
  /// Valid until the next call.
  const Rotation& of(int length) {
    if (follow_length() && length != length_) {
      rotation_ = make_rotation(config_, length);
      length_ = length;
    }
    return rotation_;
  }

 private:
  const ModelConfig& config_;
  int length_ = 0;
  Rotation rotation_;
};

}  // namespace unmask
