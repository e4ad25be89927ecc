// Rows on their way: in turns, and when a rank ends.
#include "ranks/row_exchange.h"

#include <algorithm>
#include <atomic>
#include <gtest/gtest.h>
#include <random>
#include <vector>

#include "ranks/counted_ranks.h"
#include "support/thread_ranks.h"

namespace unmask {
namespace {

using testing::ThreadRanks;

constexpr int kSent = 6;
constexpr int kColumns = 4;

/// Rows of which a rank has computed its own.
struct Own {
  explicit Own(const Communicator& ranks)
      : values(size_t{kSent} * kColumns, -1),
        missing{{values.data(), DType::f32, kSent, kColumns, kColumns}, shares_of(ranks.size())} {
    const Range mine = missing.shares[static_cast<size_t>(ranks.rank())];
    for (int r = mine.begin; r < mine.end; ++r) {
      for (int c = 0; c < kColumns; ++c) missing.rows.f32(r)[c] = value(r, c);
    }
  }
  static RowShares shares_of(int ranks) {
    RowShares shares;
    for (int r = 0; r < ranks; ++r) shares.push_back({kSent * r / ranks, kSent * (r + 1) / ranks});
    return shares;
  }
  static float value(int row, int column) { return static_cast<float>(10 * row + column); }
  bool has_column(int c) const {
    for (int r = 0; r < kSent; ++r) {
      if (missing.rows.f32(r)[c] != value(r, c)) return false;
    }
    return true;
  }

  std::vector<float> values;
  MissingRows missing;
};

TEST(RowExchange, ColumnsComeInTheirTurns) {
  for (const int n : {1, 2, 3}) {
    ThreadRanks ranks(n);
    ranks.each([&](Communicator& own) {
      Own rows(own);
      ThreadPool pool(2);
      std::vector<std::byte> wire;
      RowExchange exchange(own, {{rows.missing}}, {DType::f32, {{2, 3}, {0, 2}, {3, 4}}}, &pool,
                           wire);
      exchange.wait(0);
      EXPECT_TRUE(rows.has_column(2));
      EXPECT_EQ(rows.has_column(0), n == 1) << "not before its turn";
      exchange.wait(1);
      exchange.wait(2);
      for (int c = 0; c < kColumns; ++c) EXPECT_TRUE(rows.has_column(c)) << c;
    });
  }
}

/// Who wants which rows of two heads: drawn alike on all ranks.
WantedRows drawn_lists(int ranks, unsigned seed) {
  std::mt19937 random(seed);
  WantedRows wanted(ranks, 2, kColumns / 2);
  for (int rank = 0; rank < ranks; ++rank) {
    for (const int head : {0, 1}) {
      for (int r = 0; r < kSent; ++r) {
        if (random() % 2 == 0) wanted.of(rank, head).push_back({r, r + 1});
      }
    }
  }
  return wanted;
}

TEST(RowExchange, BringsWhatIsWantedAndNothingElse) {
  for (const int n : {1, 2, 3, 5}) {
    for (unsigned seed = 0; seed < 20; ++seed) {
      const WantedRows wanted = drawn_lists(n, seed);
      const LackedRows example{
          {{nullptr, DType::f32, kSent, kColumns, kColumns}, Own::shares_of(n)}, &wanted};
      std::atomic<int64_t> received = 0;
      ThreadRanks ranks(n);
      ranks.each([&](Communicator& own) {
        Own rows(own);
        ThreadPool pool(1);
        std::vector<std::byte> wire;
        const bool together = seed % 2 == 0;
        RowExchange exchange(own, {{rows.missing, &wanted}},
                             {DType::f32, together ? std::vector<Range>{{0, 4}}
                                                   : std::vector<Range>{{2, 4}, {0, 2}}},
                             &pool, wire);
        for (int i = 0; i < (together ? 1 : 2); ++i) exchange.wait(i);
        received += own.traffic().bytes;
        const Range mine = rows.missing.shares[static_cast<size_t>(own.rank())];
        for (int c = 0; c < kColumns; ++c) {
          const auto& list = wanted.of(own.rank(), c / 2);
          for (int r = 0; r < kSent; ++r) {
            const bool has = mine.contains(r) ||
                             std::find(list.begin(), list.end(), Range{r, r + 1}) != list.end();
            EXPECT_EQ(rows.missing.rows.f32(r)[c], has ? Own::value(r, c) : -1) << r << ", " << c;
          }
        }
      });
      EXPECT_EQ(received, elements_to_travel(example) * static_cast<int64_t>(sizeof(float)));
    }
  }
}

/// Some rows in the midst of a tensor are wanted by their numbers in it; others beside them all.
TEST(RowExchange, WantedRowsAreThoseOfTheTensor) {
  ThreadRanks ranks(2);
  ranks.each([](Communicator& own) {
    Own some(own);
    const Own all(own);
    some.missing.first = 10;
    WantedRows wanted(2, 1, kColumns);
    wanted.of(0, 0) = {{0, 14}};   // of rank 1 row 3
    wanted.of(1, 0) = {{11, 40}};  // of rank 0 rows 1 and 2
    ThreadPool pool(1);
    std::vector<std::byte> wire;
    RowExchange exchange(own, {{some.missing, &wanted}, {all.missing}}, {DType::f32, {{0, 4}}},
                         &pool, wire);
    exchange.wait(0);
    EXPECT_TRUE(all.has_column(0) && all.has_column(3));
    const bool leads = own.leads();
    for (int r = 0; r < kSent; ++r) {
      const bool has = leads ? r <= 3 : r >= 1;
      EXPECT_EQ(some.missing.rows.f32(r)[0], has ? Own::value(r, 0) : -1) << r;
    }
  });
}

TEST(RowExchange, EndsWithoutAnybodyWhoWaits) {
  ThreadRanks ranks(2);
  ranks.each([&](Communicator& own) {
    Own rows(own);
    ThreadPool pool(1);
    std::vector<std::byte> wire;
    { const RowExchange left(own, {{rows.missing}}, {DType::f32, {{0, 2}, {2, 4}}}, &pool, wire); }
    EXPECT_EQ(own.traffic().gathers, 2) << "the other rank counts on both";
  });
}

TEST(RowExchange, SaysWhyARankHasGivenUp) {
  ThreadRanks ranks(2);
  EXPECT_THROW(ranks.each([&](Communicator& own) {
    if (own.rank() == 1) own.give_up("memory is full");
    Own rows(own);
    ThreadPool pool(1);
    std::vector<std::byte> wire;
    RowExchange exchange(own, {{rows.missing}}, {DType::f32, {{0, 2}, {2, 4}}}, &pool, wire);
    try {
      exchange.wait(0);
    } catch (const Error& e) {
      EXPECT_STREQ(e.what(), "memory is full");
      EXPECT_THROW(exchange.wait(1), Error);
      throw;
    }
  }),
               Error);
}

TEST(RowExchange, CountsWhatIsOnlyPlanned) {
  CountedRanks own(1, 2);
  Own rows(own);
  std::vector<std::byte> wire;
  const RowExchange planned(own, {{rows.missing}}, {DType::bf16, {{0, 2}, {2, 4}}}, nullptr, wire);
  EXPECT_EQ(own.traffic().gathers, 2);
  EXPECT_EQ(own.traffic().bytes, int64_t{kSent / 2} * kColumns * 2);
}

}  // namespace
}  // namespace unmask
