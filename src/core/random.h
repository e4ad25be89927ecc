// Counter-based random numbers: a number depends on its key and counter alone, never on how many
// were drawn before it or on which thread asks.
#pragma once

#include <array>
#include <cstdint>

namespace unmask {

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
class Philox {
 public:
  explicit Philox(uint64_t seed)
      : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)} {}

  /// Four 32-bit numbers of counter (a, b, c, d).
  std::array<uint32_t, 4> operator()(uint32_t a, uint32_t b = 0, uint32_t c = 0,
                                     uint32_t d = 0) const {
    std::array<uint32_t, 4> x{a, b, c, d};
    std::array<uint32_t, 2> k = key_;
    for (int round = 0; round < 10; ++round) {
      const uint64_t low = uint64_t{0xD2511F53U} * x[0];
      const uint64_t high = uint64_t{0xCD9E8D57U} * x[2];
      x = {static_cast<uint32_t>(high >> 32) ^ x[1] ^ k[0], static_cast<uint32_t>(high),
           static_cast<uint32_t>(low >> 32) ^ x[3] ^ k[1], static_cast<uint32_t>(low)};
      k[0] += 0x9E3779B9U;
      k[1] += 0xBB67AE85U;
    }
    return x;
  }

 private:
  std::array<uint32_t, 2> key_;
};

/// Uniform in the open interval (0, 1) from 64 random bits, 52 of them used.
constexpr double open_unit(uint32_t high, uint32_t low) {
  const uint64_t bits = ((static_cast<uint64_t>(high) << 32) | low) >> 12;
  return (static_cast<double>(bits) + 0.5) * 0x1p-52;
}

}  // namespace unmask
