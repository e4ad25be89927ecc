// Matrices in parts: who has what of them, and what travels until they are read whole.
#include "ranks/split_columns.h"

#include <gtest/gtest.h>

#include "support/thread_ranks.h"

namespace unmask {
namespace {

constexpr int kPartRows = 6;
constexpr int kPartCols = 8;

/// Numbers that tell their place; -1 where a rank has not computed them.
struct Part {
  explicit Part(const Cut& cut, int rank) {
    for (int i = 0; i < kPartRows * kPartCols; ++i) {
      values.push_back(cut.of(rank).contains(i % kPartCols) ? static_cast<float>(i) : -1);
    }
  }
  Tensor view() { return {values.data(), DType::f32, kPartRows, kPartCols, kPartCols}; }
  Tensor rows(int begin, int end) { return view().slice({begin, end}); }
  bool has(int begin, int end) const {
    for (int i = begin * kPartCols; i < end * kPartCols; ++i) {
      if (values[static_cast<size_t>(i)] != static_cast<float>(i)) return false;
    }
    return true;
  }

  std::vector<float> values;
};

/// Calls use(columns, part) on three ranks, whose part is marked in two pieces.
void on_ranks(const std::function<void(SplitColumns&, Part&)>& use) {
  testing::ThreadRanks ranks(3);
  ranks.each([&](Communicator& own) {
    const Cut cut(kPartCols, 1, 3);
    Part part(cut, own.rank());
    SplitColumns columns(own);
    columns.mark({part.rows(0, 2), cut});
    columns.mark({part.rows(2, kPartRows), cut});
    use(columns, part);
  });
}

constexpr int64_t row_bytes_of(int rank) { return 4 * (kPartCols - (rank == 2 ? 2 : 3)); }

TEST(SplitColumns, PiecesThatTouchAreOneMatrix) {
  on_ranks([](SplitColumns& columns, Part& part) {
    EXPECT_EQ(columns.cut(part.view()), Cut(kPartCols, 1, 3));
    EXPECT_EQ(columns.cut(part.rows(1, 4)), Cut(kPartCols, 1, 3));
    EXPECT_FALSE(columns.cut(part.view().columns({0, 4})));
    EXPECT_FALSE(columns.whole(part.rows(5, 6)));
    EXPECT_EQ(columns.ranks().traffic().gathers, 0);
  });
}

TEST(SplitColumns, OnlyTheRowsThatAreReadTravelAndOnce) {
  on_ranks([](SplitColumns& columns, Part& part) {
    const Communicator& ranks = columns.ranks();
    columns.complete(part.rows(1, 3));
    EXPECT_TRUE(part.has(1, 3));
    EXPECT_FALSE(part.has(0, 1));
    EXPECT_EQ(ranks.traffic().bytes, 2 * row_bytes_of(ranks.rank()));
    EXPECT_TRUE(columns.whole(part.rows(1, 3)));
    EXPECT_FALSE(columns.cut(part.view()));  // some rows are whole
    EXPECT_TRUE(columns.cut(part.rows(3, 6)));
    columns.complete(part.view());
    columns.complete(part.view());
    EXPECT_TRUE(part.has(0, kPartRows));
    EXPECT_EQ(ranks.traffic().bytes, kPartRows * row_bytes_of(ranks.rank()));
    EXPECT_EQ(ranks.traffic().gathers, 2);
  });
}

TEST(SplitColumns, AReaderOfSomeColumnsGetsTheirRows) {
  on_ranks([](SplitColumns& columns, Part& part) {
    const Tensor corner{part.values.data() + 7, DType::f32, 1, 2, 2};  // of two rows
    columns.complete(corner);
    EXPECT_TRUE(part.has(0, 2));
    EXPECT_FALSE(columns.whole(part.rows(2, 3)));
  });
}

TEST(SplitColumns, WhatIsOverwrittenOrFreedDoesNotTravel) {
  on_ranks([](SplitColumns& columns, Part& part) {
    columns.overwrite(part.rows(0, 2));
    EXPECT_TRUE(columns.whole(part.rows(0, 2)));
    columns.forget(part.rows(2, 3).data, kPartCols * sizeof(float));
    EXPECT_TRUE(columns.whole(part.rows(0, 3)));
    EXPECT_EQ(columns.ranks().traffic().bytes, 0);
    columns.overwrite(part.rows(3, 4).columns({0, 4}));  // the other half stays
    EXPECT_TRUE(part.has(3, 4));
    EXPECT_FALSE(columns.whole(part.rows(4, 5)));
  });
}

TEST(CutGroups, ArePiecesOfTheRanks) {
  const CutGroups shared(Cut(std::vector{10, 10, 25}), 8);  // 0-8, 8-10, none, 10-16, 16-24, 24-25
  EXPECT_EQ(shared.pieces(), Cut(std::vector{2, 2, 5}));
  EXPECT_EQ(shared.columns(1), (Range{8, 10}));
  EXPECT_EQ(shared.columns(4), (Range{24, 25}));
  EXPECT_EQ(shared.group(2), 1);
  EXPECT_FALSE(shared.are_whole());
  const CutGroups apart(Cut(std::vector{16, 16, 25}), 8);
  EXPECT_EQ(apart.pieces(), Cut(std::vector{2, 2, 4}));
  EXPECT_TRUE(apart.are_whole());
}

}  // namespace
}  // namespace unmask
