// How a configuration stretches rotary position embeddings beyond the context of the training.
#pragma once

#include <string_view>

namespace unmask {

class ConfigReader;

enum class RopeKind { plain, linear, ntk, dynamic, yarn, llama3 };

/// "default", "linear", "ntk", "dynamic", "yarn", "llama3", as configurations spell them.
std::string_view rope_kind_name(RopeKind kind);

/// What model/rotations.h makes frequencies of; the fields are those of the transformers library.
struct RopeScaling {
  RopeKind kind = RopeKind::plain;
  float factor = 1;
  int original_positions = 0;  // context before the stretching (yarn, llama3)
  // yarn (arXiv 2309.00071)
  float attention_factor = 1;
  float beta_fast = 32;
  float beta_slow = 1;
  bool truncate = true;  // the ramp begins and ends at whole dimensions
  // llama3
  float low_freq_factor = 1;
  float high_freq_factor = 4;
};

struct RopeSettings {
  float theta = 0;
  RopeScaling scaling{};
};

/// Reads rope_theta and rope_scaling, or rope_parameters, which holds both since transformers 5.
/// `positions`: the context that the configuration states; `partial`: the family rotates a part of
/// every head, which it has read itself. Throws Error naming the key when one is
/// missing or wrong, and for a kind that is not implemented.
RopeSettings read_rope(const ConfigReader& config, int positions, bool partial = false);

}  // namespace unmask
