// Random choices that depend on a key alone: the same example comes out whatever was made before
// it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "core/random.h"

namespace unmask {

class Draw {
 public:
  /// One stream of choices for each (seed, name, length, index).
  Draw(uint64_t seed, std::string_view name, int length, int index);

  /// Uniform in [0, n); n >= 1.
  int below(int n);
  /// Uniform in [low, high].
  int between(int low, int high) { return low + below(high - low + 1); }
  /// Uniform in (0, 1).
  double unit();
  bool chance(double probability) { return unit() < probability; }
  /// `count` different numbers of [0, n), in random order; count <= n.
  std::vector<int> sample(int n, int count);

  template <typename T, size_t N>
  const T& pick(std::span<const T, N> from) {
    return from[static_cast<size_t>(below(static_cast<int>(from.size())))];
  }
  template <typename T>
  void shuffle(std::vector<T>& list) {
    for (size_t i = list.size(); i > 1; --i) {
      std::swap(list[i - 1], list[static_cast<size_t>(below(static_cast<int>(i)))]);
    }
  }

 private:
  Philox random_;
  uint32_t length_;
  uint32_t index_;
  uint32_t drawn_ = 0;
};

}  // namespace unmask
