// Keys and values of canvases that have been denoised, for requests that begin with the same
// tokens. Exact, so it serves methods some of whose positions follow from the tokens before the end
// of their block and never change: in block-causal models finished blocks, in others chunks of a
// prompt.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <vector>

#include "core/tensor.h"
#include "io/visibility.h"
#include "model/kv_store.h"

namespace unmask {

/// Gigabytes of keys and values that are kept where nobody says how many.
inline constexpr double kUsualPrefixes = 0.5;

/// Of one model on one backend, which outlives it. What was used least recently goes first.
class PrefixPool {
 public:
  explicit PrefixPool(size_t most_bytes) : most_bytes_(most_bytes) {}

  /// Puts the longest known beginning of `tokens`, in whole blocks of `visibility`, into the empty
  /// `stores` (one a layer, slot == position) and returns its positions; 0: nothing is known.
  int lend(Backend& backend, std::span<const TokenId> tokens, const Visibility& visibility,
           std::vector<KvStore>& stores);
  /// Keeps the slots of the first `tokens`, or of as many whole blocks of them as there is room
  /// for.
  void keep(Backend& backend, std::span<const TokenId> tokens, const Visibility& visibility,
            std::vector<KvStore>& stores);
  size_t bytes() const { return bytes_; }
  size_t most_bytes() const { return most_bytes_; }

 private:
  struct Entry {
    std::vector<TokenId> tokens;
    Visibility blocks;
    std::vector<KvStore> stores;
    size_t bytes;
  };

  size_t most_bytes_;
  size_t bytes_ = 0;
  std::list<Entry> entries_;  // the last used first
};

}  // namespace unmask
