// Where the token sequences of several answers part.
#pragma once

#include <span>
#include <vector>

#include "core/dtype.h"

namespace unmask {

/// A place where answers that began alike go on differently.
struct AnswerFork {
  std::vector<TokenId> path;    // what the answers that come here have in common
  std::vector<TokenId> tokens;  // how they go on, ascending
  std::vector<int> branch_of;   // which of the tokens an answer goes on with; -1: parted before
};

/// The forks of the trie of `answers`, the one nearest to the root first; at most one less than
/// there are answers. Throws Error when an answer equals another or is the beginning of one.
std::vector<AnswerFork> find_forks(std::span<const std::vector<TokenId>> answers);

}  // namespace unmask
