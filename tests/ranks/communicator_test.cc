// Gathers and messages between ranks that are threads.
#include "ranks/communicator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/error_of.h"
#include "support/thread_ranks.h"

namespace unmask {
namespace {

using ::testing::ElementsAre;

std::vector<std::byte> bytes(std::string_view text) {
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  return {data, data + text.size()};
}

TEST(Communicator, GathersUnequalCountsInTheOrderOfTheRanksInPiecesOfAnySize) {
  const std::vector<std::string> texts{"one", "", "three and more", "4"};
  for (const int64_t most : {int64_t{1}, int64_t{4}, int64_t{17}, Communicator::kMostAtOnce}) {
    testing::ThreadRanks ranks(4, most);
    ranks.each([&](Communicator& own) {
      std::vector<int64_t> counts;
      for (const std::string& text : texts) counts.push_back(static_cast<int64_t>(text.size()));
      const std::vector<std::byte> mine = bytes(texts[static_cast<size_t>(own.rank())]);
      std::vector<std::byte> all(18);
      own.gather(mine.data(), counts, all.data());
      EXPECT_EQ(all, bytes("onethree and more4")) << most;
      EXPECT_EQ(own.traffic().gathers, 1);
      EXPECT_EQ(own.traffic().bytes, 18 - static_cast<int64_t>(mine.size()));
    });
  }
}

TEST(Communicator, ExchangesWhatEveryTwoHaveForEachOther) {
  // Rank r has r + s letters for rank s.
  const auto letters = [](int r, int s) {
    return std::string(static_cast<size_t>(r == s ? 0 : r + s), static_cast<char>('a' + 4 * r + s));
  };
  testing::ThreadRanks ranks(4);
  ranks.each([&](Communicator& own) {
    std::string mine;
    std::string expected;
    std::vector<int64_t> to;
    std::vector<int64_t> from;
    for (int r = 0; r < own.size(); ++r) {
      mine += letters(own.rank(), r);
      to.push_back(static_cast<int64_t>(letters(own.rank(), r).size()));
      expected += letters(r, own.rank());
      from.push_back(static_cast<int64_t>(letters(r, own.rank()).size()));
    }
    std::vector<std::byte> all(expected.size());
    own.exchange(bytes(mine).data(), to, all.data(), from);
    EXPECT_EQ(all, bytes(expected));
    EXPECT_EQ(own.traffic().gathers, 1);
    EXPECT_EQ(own.traffic().bytes, static_cast<int64_t>(expected.size()));
  });
}

TEST(Communicator, GathersTexts) {
  testing::ThreadRanks ranks(3);
  ranks.each([&](Communicator& own) {
    EXPECT_THAT(gather_texts(own, std::string(static_cast<size_t>(own.rank()), 'x')),
                ElementsAre("", "x", "xx"));
  });
}

TEST(Communicator, MessagesOfRankZeroReachTheOthersInOrder) {
  testing::ThreadRanks ranks(3);
  ranks.each([&](Communicator& own) {
    if (own.leads()) {
      for (const char* text : {"a", "", "long"}) own.send(bytes(text));
    } else {
      for (const char* text : {"a", "", "long"}) EXPECT_EQ(own.receive(), bytes(text));
    }
  });
}

TEST(Communicator, ARankThatGivesUpEndsTheWaitingOfAll) {
  testing::ThreadRanks ranks(3);
  ranks.each([&](Communicator& own) {
    const std::string error = testing::error_of([&] {
      if (own.rank() == 2) own.give_up("rank 2: no memory");
      if (own.rank() == 1) own.receive();
      gather_texts(own, "x");
    });
    EXPECT_EQ(error, "rank 2: no memory");
  });
}

}  // namespace
}  // namespace unmask
