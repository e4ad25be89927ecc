#include "support/sha256.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <utility>

namespace unmask {

namespace {

constexpr int kRounds = 64;
constexpr size_t kBlock = 64;

struct Constants {
  std::array<uint32_t, 8> start{};         // fractional parts of the square roots of primes
  std::array<uint32_t, kRounds> rounds{};  // and of their cube roots
};

uint32_t fraction_bits(long double root) {
  return static_cast<uint32_t>((root - std::floor(root)) * 4294967296.0L);
}

bool is_prime(int n) {
  for (int divisor = 2; divisor * divisor <= n; ++divisor) {
    if (n % divisor == 0) return false;
  }
  return true;
}

Constants make_constants() {
  Constants constants;
  size_t count = 0;
  for (int n = 2; count < kRounds; ++n) {
    if (!is_prime(n)) continue;
    if (count < 8) constants.start[count] = fraction_bits(std::sqrt(static_cast<long double>(n)));
    constants.rounds[count++] = fraction_bits(std::cbrt(static_cast<long double>(n)));
  }
  return constants;
}

uint32_t big_endian(std::string_view bytes) {
  uint32_t word = 0;
  for (const char c : bytes.substr(0, 4)) word = (word << 8) | static_cast<uint8_t>(c);
  return word;
}

void add_block(std::string_view block, const std::array<uint32_t, kRounds>& constants,
               std::array<uint32_t, 8>& digest) {
  std::array<uint32_t, kRounds> w{};
  for (size_t i = 0; i < 16; ++i) w[i] = big_endian(block.substr(4 * i));
  for (size_t i = 16; i < kRounds; ++i) {
    const uint32_t a = w[i - 15];
    const uint32_t b = w[i - 2];
    w[i] = w[i - 16] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ (a >> 3)) + w[i - 7] +
           (std::rotr(b, 17) ^ std::rotr(b, 19) ^ (b >> 10));
  }
  auto [a, b, c, d, e, f, g, h] = digest;
  for (size_t i = 0; i < kRounds; ++i) {
    const uint32_t first = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) +
                           ((e & f) ^ (~e & g)) + constants[i] + w[i];
    const uint32_t second =
        (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = std::exchange(g, std::exchange(f, std::exchange(e, d + first)));
    d = std::exchange(c, std::exchange(b, std::exchange(a, first + second)));
  }
  const std::array<uint32_t, 8> added = {a, b, c, d, e, f, g, h};
  for (size_t i = 0; i < 8; ++i) digest[i] += added[i];
}

}  // namespace

std::string sha256_hex(std::string_view text) {
  const Constants constants = make_constants();
  std::string padded(text);
  padded += '\x80';
  while (padded.size() % kBlock != kBlock - 8) padded += '\0';
  const uint64_t bits = uint64_t{text.size()} * 8;
  for (int shift = 56; shift >= 0; shift -= 8) {
    padded += static_cast<char>(static_cast<uint8_t>(bits >> shift));
  }
  std::array<uint32_t, 8> digest = constants.start;
  for (size_t at = 0; at < padded.size(); at += kBlock) {
    add_block(std::string_view(padded).substr(at, kBlock), constants.rounds, digest);
  }
  std::string hex;
  for (const uint32_t word : digest) hex += fmt::format("{:08x}", word);
  return hex;
}

}  // namespace unmask
