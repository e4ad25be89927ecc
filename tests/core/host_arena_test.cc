#include "core/host_arena.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <random>
#include <vector>

namespace unmask {
namespace {

bool all_are(const Buffer& buffer, std::byte value) {
  const auto* first = static_cast<const std::byte*>(buffer.data());
  return std::all_of(first, first + buffer.bytes(), [&](std::byte b) { return b == value; });
}

TEST(HostArena, PiecesOfAnySizeAreZeroedAlignedAndApart) {
  HostArena arena;
  std::mt19937 random(7);
  std::vector<Buffer> pieces;
  for (int i = 0; i < 200; ++i) {
    const size_t bytes = random() % (size_t{1} << random() % 23);
    pieces.push_back(arena.allocate(bytes));
    const Buffer& piece = pieces.back();
    ASSERT_EQ(piece.bytes(), bytes);
    ASSERT_EQ(reinterpret_cast<uintptr_t>(piece.data()) % 64, 0U);
    ASSERT_TRUE(all_are(piece, std::byte{0}));
    std::memset(piece.data(), i + 1, bytes);
  }
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(all_are(pieces[static_cast<size_t>(i)], static_cast<std::byte>(i + 1))) << i;
  }
}

TEST(HostArena, SmallPiecesShareABlockAndLargeOnesHaveTheirOwn) {
  HostArena arena;
  const Buffer first = arena.allocate(1000);
  const Buffer large = arena.allocate(size_t{9} << 20);
  const Buffer second = arena.allocate(1000);
  EXPECT_EQ(static_cast<std::byte*>(second.data()) - static_cast<std::byte*>(first.data()), 1024);
  EXPECT_TRUE(all_are(large, std::byte{0}));
}

TEST(HostArena, APieceOutlivesTheArenaAndItsNeighbours) {
  auto arena = std::make_unique<HostArena>();
  Buffer first = arena->allocate(1000);
  Buffer second = arena->allocate(1000);
  std::memset(second.data(), 9, second.bytes());
  first = {};
  arena.reset();
  EXPECT_TRUE(all_are(second, std::byte{9}));
}

TEST(HostArena, WhatIsGoneAndComesAgainIsZeroed) {
  HostArena arena;
  for (int i = 0; i < 3; ++i) {
    std::vector<Buffer> pieces;
    for (int k = 0; k < 5; ++k) {
      pieces.push_back(arena.allocate(size_t{7} << 20));
      ASSERT_TRUE(all_are(pieces.back(), std::byte{0}));
      std::memset(pieces.back().data(), 1, pieces.back().bytes());
    }
  }
}

}  // namespace
}  // namespace unmask
