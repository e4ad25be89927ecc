#include "eval/draw.h"

#include <numeric>

#include "core/error.h"

namespace unmask {

namespace {

/// FNV-1a, 64 bits: the same on every machine, unlike std::hash.
uint64_t hash_of(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return hash;
}

}  // namespace

Draw::Draw(uint64_t seed, std::string_view name, int length, int index)
    : random_(seed ^ hash_of(name)),
      length_(static_cast<uint32_t>(length)),
      index_(static_cast<uint32_t>(index)) {}

int Draw::below(int n) {
  UNMASK_CHECK(n >= 1, "something to choose from");
  const auto bits = random_(length_, index_, drawn_++);
  return static_cast<int>((uint64_t{bits[0]} * static_cast<uint64_t>(n)) >> 32);
}

double Draw::unit() {
  const auto bits = random_(length_, index_, drawn_++);
  return open_unit(bits[0], bits[1]);
}

std::vector<int> Draw::sample(int n, int count) {
  UNMASK_CHECK(count <= n, "no more choices than there are");
  std::vector<int> numbers(static_cast<size_t>(n));
  std::iota(numbers.begin(), numbers.end(), 0);
  for (int i = 0; i < count; ++i) {
    const int other = between(i, n - 1);
    std::swap(numbers[static_cast<size_t>(i)], numbers[static_cast<size_t>(other)]);
  }
  numbers.resize(static_cast<size_t>(count));
  return numbers;
}

}  // namespace unmask
