#include "ranks/communicator.h"

#include <algorithm>
#include <numeric>

namespace unmask {

void Communicator::gather(const std::byte* mine, std::span<const int64_t> counts, std::byte* all) {
  const int64_t total = std::accumulate(counts.begin(), counts.end(), int64_t{0});
  ++traffic_.gathers;
  traffic_.bytes += total - counts[static_cast<size_t>(rank())];
  if (total <= most_at_once_) return gather_at_once(mine, counts, all);
  // Rank by rank, in pieces: those of several ranks at once would lie too far apart.
  std::vector<int64_t> one(counts.size());
  for (size_t r = 0; r < counts.size(); ++r) {
    for (int64_t done = 0; done < counts[r];) {
      one[r] = std::min(most_at_once_, counts[r] - done);
      const bool gives = static_cast<int>(r) == rank() && mine != nullptr;
      gather_at_once(gives ? mine + done : mine, one, all + done);
      done += one[r];
    }
    one[r] = 0;
    all += counts[r];
  }
}

void Communicator::exchange(const std::byte* mine, std::span<const int64_t> to, std::byte* all,
                            std::span<const int64_t> from) {
  const auto own = static_cast<size_t>(rank());
  UNMASK_CHECK(to[own] == 0 && from[own] == 0, "nothing for oneself");
  ++traffic_.gathers;
  traffic_.bytes += std::accumulate(from.begin(), from.end(), int64_t{0});
  exchange_all(mine, to, all, from);
}

std::vector<std::string> gather_texts(Communicator& ranks, std::string_view mine) {
  const auto n = static_cast<size_t>(ranks.size());
  const auto own = static_cast<int64_t>(mine.size());
  std::vector<int64_t> lengths(n);
  ranks.gather(reinterpret_cast<const std::byte*>(&own),
               std::vector<int64_t>(n, int64_t{sizeof own}),
               reinterpret_cast<std::byte*>(lengths.data()));
  const int64_t total = std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
  std::string all(static_cast<size_t>(total), '\0');
  ranks.gather(reinterpret_cast<const std::byte*>(mine.data()), lengths,
               reinterpret_cast<std::byte*>(all.data()));
  std::vector<std::string> texts;
  size_t begin = 0;
  for (const int64_t length : lengths) {
    texts.push_back(all.substr(begin, static_cast<size_t>(length)));
    begin += static_cast<size_t>(length);
  }
  return texts;
}

}  // namespace unmask
