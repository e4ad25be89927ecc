// Which tokens of a vocabulary an automaton cannot tell apart.
#pragma once

#include <utility>
#include <vector>

#include "constrain/automaton.h"
#include "constrain/vocabulary_trie.h"

namespace unmask {

/// A class of tokens before classes that move alike are joined.
struct TokenClass {
  int plain_characters = 0;  // of each token; 0 for tokens that are not plain text
  int size = 0;
  std::vector<std::pair<int, int>> edges{};  // from, to
};

struct TokenClasses {
  std::vector<TokenClass> classes;
  std::vector<int> class_of;  // [tokens]
};

/// Tokens of one class move every state alike. End tokens and tokens without bytes stay in class 0
/// with others that fit nowhere. Throws Error (code `schema`) when the work is too much.
TokenClasses classify_tokens(const Automaton& automaton, const VocabularyTrie& vocabulary);

}  // namespace unmask
