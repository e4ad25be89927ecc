// Which keys a position may see by a model's training: all of them, or those of its block and of
// the blocks before.
#pragma once

#include <algorithm>

namespace unmask {

struct Visibility {
  /// Positions of a block, counted from position 0; 0: every position sees all.
  int block = 0;

  static Visibility all() { return {}; }
  static Visibility block_causal(int block) { return {block}; }
  bool is_block_causal() const { return block > 0; }

  /// End of the positions that `position` sees in a sequence of `length`.
  int end(int position, int length) const {
    return is_block_causal() ? std::min(length, (position / block + 1) * block) : length;
  }
  bool operator==(const Visibility&) const = default;
};

}  // namespace unmask
