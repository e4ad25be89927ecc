// Merges the states of a deterministic automaton that no continuation tells apart.
#pragma once

#include "constrain/automaton.h"

namespace unmask {

/// The smallest automaton of the language of `raw`, states numbered as a search by columns from the
/// start finds them; no states when the language is empty. Hopcroft 1971, "An n log n algorithm for
/// minimizing states in a finite automaton".
Automaton minimise(const Automaton& raw);

}  // namespace unmask
