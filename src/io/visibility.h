// Which keys a position may see by a model's training: all of them, or those of its block and of
// the blocks before.
#pragma once

#include <algorithm>

namespace unmask {

struct Visibility {
  int block = 0;             // positions of a block; 0: every position sees all
  bool from_prompt = false;  // blocks begin where the prompt ends, instead of at position 0
  int lead = 0;              // positions that the first block lacks

  static Visibility all() { return {}; }
  static Visibility block_causal(int block) { return {.block = block}; }
  bool is_block_causal() const { return block > 0; }
  /// The same for a sequence whose prompt has `prompt` positions.
  Visibility of(int prompt) const {
    if (!is_block_causal() || !from_prompt) return *this;
    return {.block = block, .lead = (block - prompt % block) % block};
  }

  /// End of the positions that `position` sees in a sequence of `length`.
  int end(int position, int length) const {
    if (!is_block_causal()) return length;
    return std::min(length, ((position + lead) / block + 1) * block - lead);
  }
  bool operator==(const Visibility&) const = default;
};

}  // namespace unmask
