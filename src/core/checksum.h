// A checksum that keeps up with memory: damage on disk shows, forgery does not.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace unmask {

/// Eight lanes of 64 bits, each word multiplied and mixed into its lane, so that the multiplier is
/// busy in every cycle. Bytes may come in parts whose sizes, but for the last, are multiples of 64.
class Checksum {
 public:
  void add(std::span<const std::byte> bytes) {
    total_ += bytes.size();
    for (; bytes.size() >= kStride; bytes = bytes.subspan(kStride)) mix(bytes.data());
    if (!bytes.empty()) {
      std::array<std::byte, kStride> last{};
      std::memcpy(last.data(), bytes.data(), bytes.size());
      mix(last.data());
    }
  }

  uint64_t value() const {
    uint64_t all = total_;
    for (const uint64_t lane : lanes_) all = (std::rotl(all, 29) ^ lane) * kFactor;
    return all ^ all >> 32;
  }

 private:
  static constexpr size_t kLanes = 8;
  static constexpr size_t kStride = kLanes * sizeof(uint64_t);
  static constexpr uint64_t kFactor = 0x9e3779b97f4a7c15;  // odd: multiplying loses nothing

  void mix(const std::byte* block) {
    for (size_t i = 0; i < kLanes; ++i) {
      uint64_t word;
      std::memcpy(&word, block + i * sizeof word, sizeof word);
      lanes_[i] = (std::rotl(lanes_[i], 31) ^ word) * kFactor;
    }
  }

  std::array<uint64_t, kLanes> lanes_{1, 2, 3, 4, 5, 6, 7, 8};
  uint64_t total_ = 0;
};

inline uint64_t checksum(std::span<const std::byte> bytes) {
  Checksum sum;
  sum.add(bytes);
  return sum.value();
}

}  // namespace unmask
