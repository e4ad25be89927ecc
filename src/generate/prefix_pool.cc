#include "generate/prefix_pool.h"

#include <algorithm>

namespace unmask {

namespace {

/// The last end of a block at or before `position`.
int whole_blocks(const Visibility& visibility, int position) {
  if (position <= 0) return 0;
  const int end = visibility.end(position - 1, position + visibility.block);
  return end == position ? position : std::max(0, end - visibility.block);
}

int common(std::span<const TokenId> a, std::span<const TokenId> b) {
  const auto [end, unused] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<int>(end - a.begin());
}

}  // namespace

int PrefixPool::lend(Backend& backend, std::span<const TokenId> tokens,
                     const Visibility& visibility, std::vector<KvStore>& stores) {
  auto best = entries_.end();
  int most = 0;
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->blocks != visibility) continue;
    const int shared = whole_blocks(visibility, common(entry->tokens, tokens));
    if (shared <= most) continue;
    most = shared;
    best = entry;
  }
  if (most == 0) return 0;
  for (size_t layer = 0; layer < stores.size(); ++layer) {
    stores[layer].copy(backend, best->stores[layer], most);
  }
  entries_.splice(entries_.begin(), entries_, best);
  return most;
}

void PrefixPool::keep(Backend& backend, std::span<const TokenId> tokens,
                      const Visibility& visibility, std::vector<KvStore>& stores) {
  size_t slot_bytes = 0;
  for (const KvStore& store : stores) slot_bytes += store.slot_bytes();
  if (slot_bytes == 0) return;
  const size_t room = std::min(most_bytes_ / slot_bytes, tokens.size());
  const int length = whole_blocks(visibility, static_cast<int>(room));
  if (length == 0) return;
  tokens = tokens.first(static_cast<size_t>(length));
  const auto same_grid = [&](const Entry& entry) { return entry.blocks == visibility; };
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (same_grid(*entry) && common(entry->tokens, tokens) == length) {
      entries_.splice(entries_.begin(), entries_, entry);  // known already
      return;
    }
  }
  const auto drop = [&](auto entry) {
    bytes_ -= entry->bytes;
    return entries_.erase(entry);
  };
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const bool within = same_grid(*entry) &&
                        common(entry->tokens, tokens) == static_cast<int>(entry->tokens.size());
    entry = within ? drop(entry) : std::next(entry);
  }
  const size_t bytes = slot_bytes * static_cast<size_t>(length);
  while (!entries_.empty() && bytes_ + bytes > most_bytes_) drop(std::prev(entries_.end()));
  Entry entry{{tokens.begin(), tokens.end()}, visibility, {}, bytes};
  entry.stores.resize(stores.size());
  for (size_t layer = 0; layer < stores.size(); ++layer) {
    entry.stores[layer].copy(backend, stores[layer], length);
  }
  entries_.push_front(std::move(entry));
  bytes_ += bytes;
}

}  // namespace unmask
