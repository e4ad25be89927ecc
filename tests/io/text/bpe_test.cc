#include "io/text/bpe.h"

#include <gtest/gtest.h>

#include "io/text/byte_alphabet.h"

namespace unmask {
namespace {

using Ids = std::vector<TokenId>;

/// Bytes keep their value as id; merges are given as (left, right, result) by rank.
BpeModel make_model(const std::vector<std::array<TokenId, 3>>& merges) {
  BpeModel model;
  for (int byte = 0; byte < 256; ++byte) model.set_byte(static_cast<uint8_t>(byte), byte);
  for (int rank = 0; rank < static_cast<int>(merges.size()); ++rank) {
    const auto [left, right, result] = merges[static_cast<size_t>(rank)];
    model.set_merge(left, right, {.rank = rank, .result = result});
  }
  return model;
}

Ids encode(const BpeModel& model, std::string_view piece) {
  Ids ids;
  BpeEncoder(model).encode(piece, ids);
  return ids;
}

TEST(Bpe, WithoutMergesEveryByteIsAToken) {
  EXPECT_EQ(encode(make_model({}), "a\xFF"), (Ids{'a', 255}));
  EXPECT_EQ(encode(make_model({}), ""), Ids{});
}

TEST(Bpe, TheLowestRankGoesFirst) {
  const BpeModel model = make_model({{'b', 'c', 300}, {'a', 'b', 301}});
  EXPECT_EQ(encode(model, "abc"), (Ids{'a', 300}));
  EXPECT_EQ(encode(model, "abab"), (Ids{301, 301}));
}

TEST(Bpe, EqualRanksGoFromLeftToRight) {
  const BpeModel model = make_model({{'a', 'a', 300}});
  EXPECT_EQ(encode(model, "aaa"), (Ids{300, 'a'}));
  EXPECT_EQ(encode(model, "aaaaa"), (Ids{300, 300, 'a'}));
}

TEST(Bpe, MergedTokensMergeAgain) {
  const BpeModel model = make_model({{'t', 'h', 300}, {300, 'e', 301}, {' ', 301, 302}});
  EXPECT_EQ(encode(model, " the"), (Ids{302}));
  EXPECT_EQ(encode(model, "thethe"), (Ids{301, 301}));
}

TEST(Bpe, ANewNeighbourInvalidatesAQueuedPair) {
  // "bc" is queued first but 'b' is taken by the better "ab".
  const BpeModel model = make_model({{'a', 'b', 300}, {'b', 'c', 301}, {'c', 'd', 302}});
  EXPECT_EQ(encode(model, "abcd"), (Ids{300, 302}));
}

TEST(Bpe, WorkingMemoryIsCleanForTheNextPiece) {
  const BpeModel model = make_model({{'a', 'b', 300}});
  BpeEncoder encoder(model);
  Ids ids;
  for (const char* piece : {"xab", "a", "", "ab"}) encoder.encode(piece, ids);
  EXPECT_EQ(ids, (Ids{'x', 300, 'a', 300}));
}

TEST(Bpe, LongPiecesAreNotQuadratic) {
  const BpeModel model = make_model({{'a', 'a', 300}, {300, 300, 301}});
  EXPECT_EQ(encode(model, std::string(1'000'000, 'a')), Ids(250'000, 301));
}

TEST(ByteAlphabet, IsABijection) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string expected(1, static_cast<char>(byte));
    EXPECT_EQ(alphabet_to_bytes(byte_to_alphabet(static_cast<uint8_t>(byte))), expected);
  }
}

TEST(ByteAlphabet, KnownCharacters) {
  EXPECT_EQ(byte_to_alphabet(' '), "\xC4\xA0");
  EXPECT_EQ(byte_to_alphabet('\n'), "\xC4\x8A");
  EXPECT_EQ(byte_to_alphabet('a'), "a");
  EXPECT_EQ(byte_to_alphabet(0xAD), "\xC5\x83") << "the soft hyphen comes last";
  EXPECT_EQ(alphabet_to_bytes("a b"), std::nullopt) << "a space is not in the alphabet";
  EXPECT_EQ(alphabet_to_bytes("\xC5\x84"), std::nullopt) << "the first character beyond it";
}

}  // namespace
}  // namespace unmask
