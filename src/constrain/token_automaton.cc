#include "constrain/token_automaton.h"

#include <algorithm>
#include <map>
#include <utility>

#include "constrain/token_classes.h"
#include "core/error.h"

namespace unmask {

TokenAutomaton::TokenAutomaton(const Automaton& bytes, const VocabularyTrie& vocabulary)
    : n_states_(bytes.size() + 1) {
  TokenClasses raw = classify_tokens(bytes, vocabulary);
  const auto end_class = static_cast<int>(raw.classes.size());
  TokenClass& ends = raw.classes.emplace_back();
  for (int q = 0; q < bytes.size(); ++q) {
    if (bytes.accepting(q)) ends.edges.emplace_back(q, end_state());
  }
  ends.edges.emplace_back(end_state(), end_state());
  for (const TokenId id : vocabulary.end_ids()) raw.class_of[static_cast<size_t>(id)] = end_class;

  std::map<std::vector<std::pair<int, int>>, int> numbers;
  std::vector<int> number_of(raw.classes.size(), -1);
  edge_begin_.push_back(0);
  for (size_t token = 0; token < raw.class_of.size(); ++token) {
    const auto c = static_cast<size_t>(raw.class_of[token]);
    if (number_of[c] < 0) {
      auto& edges = raw.classes[c].edges;
      std::sort(edges.begin(), edges.end());
      const auto [entry, is_new] = numbers.emplace(std::move(edges), n_classes());
      number_of[c] = entry->second;
      if (is_new) {
        first_tokens_.push_back(static_cast<TokenId>(token));
        single_.push_back(1);
        for (const auto& [from, to] : entry->first) edges_.push_back({from, to});
        edge_begin_.push_back(edges_.size());
      }
    }
    const int number = number_of[c];
    if (first_tokens_[static_cast<size_t>(number)] != static_cast<TokenId>(token)) {
      single_[static_cast<size_t>(number)] = 0;
    }
    class_of_.push_back(number);
  }
  measure_distances(bytes);
}

void TokenAutomaton::measure_distances(const Automaton& bytes) {
  std::vector<std::vector<int>> before(static_cast<size_t>(n_states_));
  for (const Edge& edge : edges_) {
    auto& sources = before[static_cast<size_t>(edge.to)];
    if (sources.empty() || sources.back() != edge.from) sources.push_back(edge.from);
  }
  distance_.assign(static_cast<size_t>(n_states_), kUnreachable);
  std::vector<int> queue;
  for (int q = 0; q < n_states_; ++q) {
    if (q != end_state() && !bytes.accepting(q)) continue;
    distance_[static_cast<size_t>(q)] = 0;
    queue.push_back(q);
  }
  for (size_t i = 0; i < queue.size(); ++i) {
    const int next_distance = distance(queue[i]) + 1;
    for (const int q : before[static_cast<size_t>(queue[i])]) {
      if (distance(q) <= next_distance) continue;
      distance_[static_cast<size_t>(q)] = next_distance;
      queue.push_back(q);
    }
  }
  if (distance(start()) == kUnreachable) {
    fail(ErrorCode::schema,
         "[schema] /: found no text of the model's tokens that satisfies the schema, expected one");
  }
}

int TokenAutomaton::next(int state, TokenId token) const {
  const std::span<const Edge> all = edges(class_of_[static_cast<size_t>(token)]);
  const auto found = std::lower_bound(all.begin(), all.end(), state,
                                      [](const Edge& edge, int q) { return edge.from < q; });
  return found == all.end() || found->from != state ? Automaton::kNone : found->to;
}

}  // namespace unmask
