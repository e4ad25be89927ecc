// Shares of columns, and matrices that become whole.
#include "ranks/columns.h"

#include <gtest/gtest.h>

#include "support/thread_ranks.h"

namespace unmask {
namespace {

TEST(Cut, SharesOutWholeUnits) {
  for (const int n : {1, 5, 64, 130, 1000}) {
    for (const int unit : {1, 16, 64}) {
      for (const int ranks : {1, 2, 3, 7}) {
        const Cut cut(n, unit, ranks);
        int end = 0;
        for (int r = 0; r < ranks; ++r) {
          EXPECT_EQ(cut.of(r).begin, end);
          EXPECT_TRUE(cut.of(r).begin % unit == 0 || cut.of(r).begin == n);
          EXPECT_LE(cut.of(r).size(), ((n + unit - 1) / unit + ranks - 1) / ranks * unit);
          end = cut.of(r).end;
        }
        EXPECT_EQ(end, n);
        EXPECT_GT(cut.of(0).size(), 0);
      }
    }
  }
}

/// Two matrices of numbers that tell their place; -1 where `rank` has not computed them.
struct Matrices {
  explicit Matrices(int rank, const Cut& wide, const Cut& narrow) {
    for (int r = 0; r < 3; ++r) {
      for (int c = 0; c < 40; ++c) {
        a[static_cast<size_t>(r * 40 + c)] = rank < 0 || (c < 37 && wide.of(rank).contains(c))
                                                 ? static_cast<float>(r * 100 + c)
                                                 : -1;
      }
      b[static_cast<size_t>(r)] =
          rank < 0 || narrow.of(rank).contains(0) ? static_cast<float>(-2 - r) : -1;
    }
  }
  std::vector<float> a = std::vector<float>(3 * 40);  // of which 37 columns are the matrix
  std::vector<float> b = std::vector<float>(3);
};

TEST(ColumnGather, MakesEveryMatrixWholeAndTouchesNothingElse) {
  for (const int size : {1, 2, 3, 4}) {
    testing::ThreadRanks ranks(size);
    ranks.each([&](Communicator& own) {
      const Cut wide(37, 8, size);
      const Cut narrow(1, 1, size);
      Matrices m(own.rank(), wide, narrow);
      ColumnGather gather(own);
      const CutColumns parts[] = {{{m.a.data(), DType::f32, 3, 37, 40}, wide},
                                  {{m.b.data(), DType::f32, 3, 1, 1}, narrow}};
      gather.run(parts);
      const Matrices whole(-1, wide, narrow);
      EXPECT_EQ(m.b, whole.b);
      for (size_t i = 0; i < m.a.size(); ++i) EXPECT_EQ(m.a[i], i % 40 < 37 ? whole.a[i] : -1) << i;
      EXPECT_EQ(own.traffic().bytes,
                4 * 3 * (37 - wide.of(own.rank()).size() + 1 - narrow.of(own.rank()).size()));
    });
  }
}

}  // namespace
}  // namespace unmask
