#include "constrain/automaton.h"

#include <algorithm>
#include <map>
#include <utility>

#include "constrain/minimisation.h"
#include "core/error.h"

namespace unmask {

namespace {

constexpr int kMostStates = 4096;
// Before they are merged: states of real schemas shrink by a third, e.g. 318 to 232.
constexpr int kMostRawStates = 4 * kMostStates;
// States of the NFA looked at, some 10 ns each: patterns whose automaton is exponentially large are
// refused within about 100 ms.
constexpr int64_t kMostVisits = 8'000'000;

[[noreturn]] void fail_size(std::string_view where) {
  fail(ErrorCode::schema, "{}: found more than {} states, expected at most {}", where,
       kMostRawStates, kMostStates);
}

Automaton checked(Automaton automaton, std::string_view where) {
  if (automaton.size() == 0) {
    fail(ErrorCode::schema,
         "{}: found a schema that nothing satisfies, expected at least one value", where);
  }
  if (automaton.size() > kMostStates) {
    fail(ErrorCode::schema, "{}: found {} states, expected at most {}", where, automaton.size(),
         kMostStates);
  }
  return automaton;
}

}  // namespace

/// Every set of states that the NFA can be in becomes one state.
class SubsetConstruction {
 public:
  SubsetConstruction(const Nfa& nfa, std::string_view where)
      : nfa_(nfa), where_(where), seen_(nfa.states.size(), 0) {
    divide_bytes();
  }

  Automaton run() {
    visit({nfa_.start});
    std::vector<std::vector<int>> targets(static_cast<size_t>(raw_.columns_));
    for (size_t set = 0; set < sets_.size(); ++set) {
      for (auto& column : targets) column.clear();
      for (const int q : *sets_[set]) {
        for (const Nfa::Move& move : nfa_.states[static_cast<size_t>(q)].moves) {
          const int last = raw_.column_of(move.bytes.last);
          for (int c = raw_.column_of(move.bytes.first); c <= last; ++c) {
            targets[static_cast<size_t>(c)].push_back(move.to);
          }
        }
      }
      for (const auto& column : targets) {
        raw_.next_.push_back(column.empty() ? Automaton::kNone : visit(column));
      }
    }
    return std::move(raw_);
  }

 private:
  /// Bytes between two borders of the moves' ranges share a column.
  void divide_bytes() {
    std::array<bool, 257> border{};
    for (const Nfa::State& state : nfa_.states) {
      for (const Nfa::Move& move : state.moves) {
        border[move.bytes.first] = true;
        border[size_t{move.bytes.last} + 1] = true;
      }
    }
    int column = 0;
    for (size_t byte = 0; byte < 256; ++byte) {
      if (byte > 0 && border[byte]) ++column;
      raw_.column_of_[byte] = static_cast<uint8_t>(column);
    }
    raw_.columns_ = column + 1;
  }

  /// The number of the set that `states` and their free moves lead to.
  int visit(std::vector<int> states) {
    ++stamp_;
    std::vector<int> set;  // what reads bytes or accepts: the others make no difference
    while (!states.empty()) {
      const int q = states.back();
      states.pop_back();
      if (++visits_ > kMostVisits) {
        fail(ErrorCode::schema,
             "{}: found a pattern too complex to compile, expected a simpler one", where_);
      }
      if (std::exchange(seen_[static_cast<size_t>(q)], stamp_) == stamp_) continue;
      const Nfa::State& state = nfa_.states[static_cast<size_t>(q)];
      if (!state.moves.empty() || q == nfa_.accepting) set.push_back(q);
      states.insert(states.end(), state.free.begin(), state.free.end());
    }
    std::sort(set.begin(), set.end());
    const auto [entry, is_new] = numbers_.emplace(std::move(set), static_cast<int>(sets_.size()));
    if (is_new) {
      if (static_cast<int>(sets_.size()) >= kMostRawStates) fail_size(where_);
      sets_.push_back(&entry->first);
      raw_.accepting_.push_back(
          std::binary_search(entry->first.begin(), entry->first.end(), nfa_.accepting) ? 1 : 0);
    }
    return entry->second;
  }

  const Nfa& nfa_;
  std::string_view where_;
  Automaton raw_;
  std::map<std::vector<int>, int> numbers_;
  std::vector<const std::vector<int>*> sets_;  // keys of numbers_, which stay where they are
  std::vector<int64_t> seen_;
  int64_t stamp_ = 0;
  int64_t visits_ = 0;
};

Automaton Automaton::compile(const Expressions& expressions, Expression expression,
                             std::string_view where) {
  const Nfa nfa = expressions.compile(expression, where);
  return checked(minimise(SubsetConstruction(nfa, where).run()), where);
}

bool Automaton::accepts(std::string_view text) const {
  int state = start();
  for (const char c : text) {
    state = next(state, static_cast<uint8_t>(c));
    if (state == kNone) return false;
  }
  return accepting(state);
}

/// Both automata side by side.
class Product {
 public:
  Product(const Automaton& a, const Automaton& b, std::string_view where)
      : a_(a), b_(b), where_(where) {
    std::map<std::pair<int, int>, int> pairs;
    for (size_t i = 0; i < 256; ++i) {
      const auto byte = static_cast<uint8_t>(i);
      const std::pair pair(a.column_of(byte), b.column_of(byte));
      const auto [entry, is_new] = pairs.emplace(pair, static_cast<int>(columns_.size()));
      if (is_new) columns_.push_back(pair);
      raw_.column_of_[i] = static_cast<uint8_t>(entry->second);
    }
    raw_.columns_ = static_cast<int>(columns_.size());
  }

  Automaton run() {
    visit({Automaton::start(), Automaton::start()});
    for (size_t i = 0; i < states_.size(); ++i) {
      const auto [p, q] = states_[i];
      for (const auto& [column_a, column_b] : columns_) {
        const std::pair to(a_.at(p, column_a), b_.at(q, column_b));
        const bool left = to.first == Automaton::kNone || to.second == Automaton::kNone;
        raw_.next_.push_back(left ? Automaton::kNone : visit(to));
      }
    }
    return std::move(raw_);
  }

 private:
  int visit(std::pair<int, int> state) {
    const auto [entry, is_new] = numbers_.emplace(state, static_cast<int>(states_.size()));
    if (is_new) {
      if (static_cast<int>(states_.size()) >= kMostRawStates) fail_size(where_);
      states_.push_back(state);
      raw_.accepting_.push_back(a_.accepting(state.first) && b_.accepting(state.second) ? 1 : 0);
    }
    return entry->second;
  }

  const Automaton& a_;
  const Automaton& b_;
  std::string_view where_;
  Automaton raw_;
  std::vector<std::pair<int, int>> columns_;
  std::vector<std::pair<int, int>> states_;
  std::map<std::pair<int, int>, int> numbers_;
};

Automaton Automaton::intersection(const Automaton& a, const Automaton& b, std::string_view where) {
  return checked(minimise(Product(a, b, where).run()), where);
}

Nfa Automaton::nfa() const {
  Nfa nfa;
  nfa.states.resize(static_cast<size_t>(size()) + 1);
  nfa.start = start();
  nfa.accepting = size();
  for (int q = 0; q < size(); ++q) {
    Nfa::State& state = nfa.states[static_cast<size_t>(q)];
    if (accepting(q)) state.free.push_back(nfa.accepting);
    for (int byte = 0; byte < 256; ++byte) {
      const auto value = static_cast<uint8_t>(byte);
      const int to = next(q, value);
      if (to == kNone) continue;
      if (!state.moves.empty() && state.moves.back().to == to &&
          state.moves.back().bytes.last + 1 == byte) {
        state.moves.back().bytes.last = value;
      } else {
        state.moves.push_back({{value, value}, to});
      }
    }
  }
  return nfa;
}

}  // namespace unmask
