// Rows that ranks have in parts: random writes and reads against memory that is always whole.
#include "ranks/rows.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "ranks/row_exchange.h"
#include "support/thread_ranks.h"

namespace unmask {
namespace {

using testing::ThreadRanks;

constexpr int kWidth = 6;
constexpr int kRows = 40;
constexpr float kUnknown = -1;

/// Rows that everybody wants.
std::vector<LackedRows> all_of(const std::vector<MissingRows>& missing) {
  std::vector<LackedRows> lacked;
  for (const MissingRows& m : missing) lacked.push_back({m});
  return lacked;
}

/// One rank's memory, of rows [kRows, kWidth], beside what it would hold if it computed all.
class Memory {
 public:
  explicit Memory(Communicator& ranks) : split_(ranks), rank_(static_cast<size_t>(ranks.rank())) {}

  /// [rows.size() * by, kWidth / by]: the same memory in rows of another width.
  Tensor view(Range rows, int by) {
    return {own_.data() + rows.begin * kWidth, DType::f32, rows.size() * by, kWidth / by,
            kWidth / by};
  }
  void write(Tensor t, const std::optional<RowShares>& shares) {
    const auto first = static_cast<const float*>(t.data) - own_.data();
    for (int r = 0; r < t.rows; ++r) {
      for (int c = 0; c < t.cols; ++c) {
        const auto at = static_cast<size_t>(first + int64_t{r} * t.cols + c);
        truth_[at] = next_++;
        const bool own = !shares || (*shares)[rank_].contains(r);
        own_[at] = own ? truth_[at] : kUnknown;
      }
    }
    if (shares) {
      split_.mark(t, *shares);
    } else {
      split_.written(t);
    }
  }
  /// That this rank has what it is said to have.
  void check(Tensor t) {
    const auto shares = split_.shares(t);
    if (shares) expect_true(t.slice((*shares)[rank_]));
    if (split_.whole(t)) expect_true(t);
  }
  void complete(Tensor t) {
    split_.complete(t);
    EXPECT_TRUE(split_.whole(t));
    expect_true(t);
  }
  /// Some columns after others; what is rounded to bfloat16 then is what would be rounded of the
  /// truth.
  void exchange(Tensor t, bool rounded, int columns) {
    const auto missing = split_.missing(t, rounded);
    if (!missing) return complete(t);
    const std::vector<LackedRows> lacked = all_of(*missing);
    split_.come(t, rounded);
    const DType type = rounded ? DType::bf16 : DType::f32;
    RowExchange exchange(split_.ranks(), lacked, {type, {{columns, t.cols}, {0, columns}}}, &pool_,
                         wire_);
    for (const int i : {0, 1}) exchange.wait(i);
    EXPECT_TRUE(rounded || split_.whole(t));
    const auto first = static_cast<const float*>(t.data) - own_.data();
    for (int64_t i = first; i < first + int64_t{t.rows} * t.cols; ++i) {
      const auto at = static_cast<size_t>(i);
      const bool came =
          rounded ? f32_to_bf16(own_[at]) == f32_to_bf16(truth_[at]) : own_[at] == truth_[at];
      ASSERT_TRUE(came) << i << ": " << own_[at] << " for " << truth_[at];
    }
    const auto left = split_.missing(t, rounded);
    EXPECT_TRUE(left && left->empty()) << "nothing comes twice";
  }
  SplitRows& split() { return split_; }

 private:
  void expect_true(Tensor t) {
    const auto first = static_cast<const float*>(t.data) - own_.data();
    for (int64_t i = first; i < first + int64_t{t.rows} * t.cols; ++i) {
      ASSERT_EQ(own_[static_cast<size_t>(i)], truth_[static_cast<size_t>(i)]) << i;
    }
  }

  ThreadPool pool_{1};
  std::vector<std::byte> wire_;
  SplitRows split_;
  size_t rank_;
  float next_ = 1;
  std::vector<float> own_ = std::vector<float>(size_t{kRows} * kWidth);
  std::vector<float> truth_ = own_;
};

TEST(SplitRows, KnowsWhatARankHasAfterAnyWrites) {
  for (const int n : {1, 2, 3, 5}) {
    ThreadRanks ranks(n);
    ranks.each([&](Communicator& own) {
      std::mt19937 random(7);  // the same calls on all ranks
      const auto draw = [&](int most) { return static_cast<int>(random() % (most + 1U)); };
      Memory memory(own);
      for (int i = 0; i < 3000; ++i) {
        const int begin = draw(kRows);
        const Range rows{begin, begin + draw(kRows - begin)};
        const int by = 1 + draw(2);
        const Tensor t = memory.view(rows, by);
        switch (draw(5)) {
          case 0: memory.write(t, std::nullopt); break;
          case 1: memory.complete(t); break;
          case 2: memory.check(t); break;
          case 3: memory.exchange(t, draw(1) == 0, 1 + draw(t.cols - 2)); break;
          default: {
            std::vector<int> ends;
            for (int r = 1; r < n; ++r) ends.push_back(draw(t.rows));
            std::sort(ends.begin(), ends.end());
            ends.push_back(t.rows);
            RowShares shares;
            int first = 0;
            for (const int end : ends) shares.push_back({std::exchange(first, end), end});
            memory.write(t, shares);
            EXPECT_TRUE(t.rows == 0 || memory.split().shares(t) == shares);
          }
        }
      }
      memory.complete(memory.view({0, kRows}, 1));
    });
  }
}

TEST(SplitRows, RoundsAsProcessorsDoAndAnewWhereRowsChanged) {
  ThreadRanks ranks(2);
  ranks.each([](Communicator& own) {
    ThreadPool pool(1);
    SplitRows split(own);
    std::vector<float> values(8, kUnknown);  // [4, 2]
    const Tensor t{values.data(), DType::f32, 4, 2, 2};
    const RowShares shares = split.cut(4);
    const Range mine = shares[static_cast<size_t>(own.rank())];
    const auto fill = [&](float first) {
      for (int r = mine.begin; r < mine.end; ++r) {
        t.f32(r)[0] = first;
        t.f32(r)[1] = -1e-39F;  // too small to be normal
      }
    };
    const auto expect_first = [&](float first) {
      for (int r = 0; r < 4; ++r) {
        if (mine.contains(r)) continue;
        EXPECT_EQ(t.f32(r)[0], first);
        EXPECT_EQ(t.f32(r)[1], 0);
        EXPECT_TRUE(std::signbit(t.f32(r)[1]));
      }
    };
    std::vector<std::byte> wire;
    const auto exchange = [&] {
      const auto missing = split.missing(t, true).value();
      split.come(t, true);
      RowExchange(own, all_of(missing), {DType::bf16, {{0, 2}}}, &pool, wire).wait(0);
    };
    fill(1 + 0x1p-7F + 0x1p-9F);
    split.mark(t, shares);
    exchange();
    expect_first(1 + 0x1p-7F);
    fill(3);
    split.changed(t);
    exchange();
    expect_first(3);
  });
}

TEST(SplitRows, PartsWrittenOneAfterTheOtherAreOneTensor) {
  ThreadRanks ranks(3);
  ranks.each([](Communicator& own) {
    Memory memory(own);
    const RowShares all = memory.split().cut(kRows);
    for (int begin = 0; begin < kRows; begin += 7) {
      const Range rows{begin, std::min(kRows, begin + 7)};
      RowShares part;
      for (const Range share : all) {
        part.push_back({std::clamp(share.begin, rows.begin, rows.end) - begin,
                        std::clamp(share.end, rows.begin, rows.end) - begin});
      }
      memory.write(memory.view(rows, 1), part);
    }
    EXPECT_EQ(memory.split().shares(memory.view({0, kRows}, 1)), all);
    const Tensor some = memory.view({5, 20}, 1);
    memory.complete(some);
    EXPECT_EQ(own.traffic().bytes,
              int64_t{15 - std::clamp(all[static_cast<size_t>(own.rank())].end, 5, 20) +
                      std::clamp(all[static_cast<size_t>(own.rank())].begin, 5, 20)} *
                  kWidth * 4);
  });
}

TEST(SplitRows, ColumnsAreOnlyReadWhole) {
  ThreadRanks ranks(2);
  ranks.each([](Communicator& own) {
    Memory memory(own);
    const Tensor all = memory.view({0, kRows}, 1);
    memory.write(all, memory.split().cut(kRows));
    EXPECT_EQ(memory.split().shares(all.columns({0, 2})), std::nullopt);
    memory.split().written(all.columns({0, 2}));  // the other columns of the other rank arrive
    const Tensor first = all.slice({0, kRows - 1});
    EXPECT_TRUE(memory.split().whole(first));
    memory.check(first);
  });
}

TEST(SplitRows, MemoryThatWasFreedIsForgotten) {
  ThreadRanks ranks(2);
  ranks.each([](Communicator& own) {
    Memory memory(own);
    const Tensor all = memory.view({0, kRows}, 1);
    memory.write(all, memory.split().cut(kRows));
    memory.split().forget(all.data, dense_bytes(kRows, kWidth, DType::f32));
    EXPECT_TRUE(memory.split().whole(all));
    memory.split().complete(all);
    EXPECT_EQ(own.traffic().bytes, 0);
  });
}

}  // namespace
}  // namespace unmask
