// Random texts of an automaton, and vocabularies to cut them into.
#pragma once

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "constrain/automaton.h"

namespace unmask::testing {

/// Fewest bytes from each state to an accepting one.
inline std::vector<int> byte_distances(const Automaton& automaton) {
  std::vector<int> distance(static_cast<size_t>(automaton.size()), 1 << 20);
  for (bool changed = true; changed;) {
    changed = false;
    for (int q = automaton.size() - 1; q >= 0; --q) {
      int best = automaton.accepting(q) ? 0 : 1 << 20;
      for (int c = 0; c < automaton.columns(); ++c) {
        const int to = automaton.at(q, c);
        if (to != Automaton::kNone) best = std::min(best, distance[static_cast<size_t>(to)] + 1);
      }
      changed = changed || best < distance[static_cast<size_t>(q)];
      distance[static_cast<size_t>(q)] = best;
    }
  }
  return distance;
}

/// A text that the automaton accepts: `free` random bytes, then the shortest way out.
inline std::string random_text(const Automaton& automaton, int free, std::mt19937_64& random) {
  const std::vector<int> distance = byte_distances(automaton);
  std::string text;
  int state = Automaton::start();
  while (true) {
    const bool closing = static_cast<int>(text.size()) >= free;
    if (automaton.accepting(state) && (closing || random() % 4 == 0)) return text;
    std::vector<uint8_t> choices;
    for (int byte = 0; byte < 256; ++byte) {
      const int to = automaton.next(state, static_cast<uint8_t>(byte));
      if (to == Automaton::kNone) continue;
      const auto left = distance[static_cast<size_t>(to)];
      if (closing && left >= distance[static_cast<size_t>(state)]) continue;
      choices.push_back(static_cast<uint8_t>(byte));
    }
    if (choices.empty()) return text;  // nothing may follow
    const uint8_t byte = choices[random() % choices.size()];
    text += static_cast<char>(byte);
    state = automaton.next(state, byte);
  }
}

/// Single bytes, then pieces of JSON and of words as byte-pair encoding makes them, then an end
/// token and a mask without bytes.
inline std::vector<std::string> small_vocabulary(int pieces) {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  for (const char* piece : {"{\"", "\": ", "\": \"", "\", \"", "\"}", ", \"", "]}", "[\"", "true",
                            "false", "null", "\": {\"", "\xc3\xa9", "\xe6\x97", "\\\"", "\\n"}) {
    tokens.emplace_back(piece);
  }
  std::mt19937_64 random(7);
  const std::string letters = "etaoinshr dlu0123456789";
  for (int n = 0; n < pieces; ++n) {
    std::string piece;
    for (uint64_t length = 2 + random() % 6; length > 0; --length) {
      piece += letters[random() % letters.size()];
    }
    tokens.push_back(piece);
  }
  tokens.emplace_back();
  tokens.emplace_back();
  return tokens;
}

}  // namespace unmask::testing
