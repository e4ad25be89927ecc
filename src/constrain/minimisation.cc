#include "constrain/minimisation.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace unmask {

class Minimisation {
 public:
  explicit Minimisation(const Automaton& raw)
      : raw_(raw), sink_(raw.size()), n_(raw.size() + 1), order_(static_cast<size_t>(n_)) {
    std::iota(order_.begin(), order_.end(), 0);
    place_ = order_;
    block_of_.assign(static_cast<size_t>(n_), 0);
    blocks_.push_back({0, n_, 0, false});
    for (int column = 0; column < raw_.columns(); ++column) invert(column);
  }

  Automaton run() {
    for (int state = 0; state < raw_.size(); ++state) {
      if (raw_.accepting(state)) mark(state);
    }
    enqueue(0);
    split_marked();
    while (!queue_.empty()) {
      const int splitter = queue_.back();
      queue_.pop_back();
      blocks_[static_cast<size_t>(splitter)].queued = false;
      refine(splitter);
    }
    return merged();
  }

 private:
  /// States order_[begin, end); the marked ones are the first.
  struct Block {
    int begin;
    int end;
    int marked;
    bool queued;
  };
  /// The states that a column leads to `state`: from[begin[state], begin[state + 1]).
  struct Inverse {
    std::vector<int> begin;
    std::vector<int> from;
  };

  /// The sink stands for every string that left the language.
  int next(int state, int column) const {
    const int to = state == sink_ ? Automaton::kNone : raw_.at(state, column);
    return to == Automaton::kNone ? sink_ : to;
  }

  void invert(int column) {
    Inverse inverse;
    inverse.begin.assign(static_cast<size_t>(n_) + 1, 0);
    inverse.from.resize(static_cast<size_t>(n_));
    for (int q = 0; q < n_; ++q) ++inverse.begin[static_cast<size_t>(next(q, column)) + 1];
    std::partial_sum(inverse.begin.begin(), inverse.begin.end(), inverse.begin.begin());
    std::vector<int> fill = inverse.begin;
    for (int q = 0; q < n_; ++q) {
      inverse.from[static_cast<size_t>(fill[static_cast<size_t>(next(q, column))]++)] = q;
    }
    inverses_.push_back(std::move(inverse));
  }

  void mark(int state) {
    const int index = block_of_[static_cast<size_t>(state)];
    Block& block = blocks_[static_cast<size_t>(index)];
    const int at = place_[static_cast<size_t>(state)];
    const int border = block.begin + block.marked;
    if (at < border) return;
    if (block.marked++ == 0) touched_.push_back(index);
    std::swap(order_[static_cast<size_t>(at)], order_[static_cast<size_t>(border)]);
    place_[static_cast<size_t>(order_[static_cast<size_t>(at)])] = at;
    place_[static_cast<size_t>(state)] = border;
  }

  void enqueue(int block) {
    blocks_[static_cast<size_t>(block)].queued = true;
    queue_.push_back(block);
  }

  /// The marked states of each touched block become a block of their own.
  void split_marked() {
    for (const int index : std::exchange(touched_, {})) {
      Block& block = blocks_[static_cast<size_t>(index)];
      const int border = block.begin + std::exchange(block.marked, 0);
      if (border == block.end) continue;
      const Block fresh{block.begin, border, 0, false};
      block.begin = border;
      const auto added = static_cast<int>(blocks_.size());
      for (int i = fresh.begin; i < fresh.end; ++i) {
        block_of_[static_cast<size_t>(order_[static_cast<size_t>(i)])] = added;
      }
      const bool fresh_is_smaller = border - fresh.begin <= block.end - border;
      const bool was_queued = block.queued;
      blocks_.push_back(fresh);
      // A pair of halves tells no more apart than the whole and its smaller half.
      enqueue(was_queued || fresh_is_smaller ? added : index);
    }
  }

  void refine(int splitter) {
    const Block& block = blocks_[static_cast<size_t>(splitter)];
    const std::vector<int> targets(order_.begin() + block.begin, order_.begin() + block.end);
    for (const Inverse& inverse : inverses_) {
      for (const int q : targets) {
        for (int i = inverse.begin[static_cast<size_t>(q)];
             i < inverse.begin[static_cast<size_t>(q) + 1]; ++i) {
          mark(inverse.from[static_cast<size_t>(i)]);
        }
      }
      split_marked();
    }
  }

  Automaton merged() const {
    Automaton out;
    out.column_of_ = raw_.column_of_;
    out.columns_ = raw_.columns();
    const int dead = block_of_[static_cast<size_t>(sink_)];
    std::vector<int> number(blocks_.size(), Automaton::kNone);
    std::vector<int> members;  // of the new states, one each
    const auto visit = [&](int state) {
      const int block = block_of_[static_cast<size_t>(state)];
      if (block == dead) return Automaton::kNone;
      int& known = number[static_cast<size_t>(block)];
      if (known == Automaton::kNone) {
        known = static_cast<int>(members.size());
        members.push_back(state);
      }
      return known;
    };
    visit(Automaton::start());
    for (size_t i = 0; i < members.size(); ++i) {
      const int member = members[i];
      out.accepting_.push_back(raw_.accepting(member) ? 1 : 0);
      for (int column = 0; column < out.columns_; ++column) {
        out.next_.push_back(visit(next(member, column)));
      }
    }
    return out;
  }

  const Automaton& raw_;
  int sink_;
  int n_;
  std::vector<int> order_;
  std::vector<int> place_;  // of a state in order_
  std::vector<int> block_of_;
  std::vector<Block> blocks_;
  std::vector<int> touched_;
  std::vector<int> queue_;
  std::vector<Inverse> inverses_;  // [columns]
};

Automaton minimise(const Automaton& raw) { return Minimisation(raw).run(); }

}  // namespace unmask
