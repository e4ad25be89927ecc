// How positions turn queries and keys (RoPE, arXiv 2104.09864), as a backend needs to know it.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace unmask {

struct Rotation {
  /// Radians by which a position turns the pair (i, i + head_dim / 2). [head_dim / 2]
  std::vector<float> frequencies{};
  float scale = 1;  // of what is turned; YaRN's attention factor

  int head_dim() const { return 2 * static_cast<int>(frequencies.size()); }
  bool operator==(const Rotation&) const = default;
};

/// theta^(-2i/head_dim), rounded as the published models round it.
inline Rotation plain_rotation(int head_dim, float theta) {
  Rotation rotation;
  for (int i = 0; i < head_dim / 2; ++i) {
    const float power = static_cast<float>(2 * i) / static_cast<float>(head_dim);
    rotation.frequencies.push_back(1.0F / std::pow(theta, power));
  }
  return rotation;
}

}  // namespace unmask
