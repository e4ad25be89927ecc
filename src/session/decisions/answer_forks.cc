#include "session/decisions/answer_forks.h"

#include <map>

#include "core/error.h"

namespace unmask {

namespace {

using Answers = std::span<const std::vector<TokenId>>;

/// Appends the forks of those answers, which are alike in their first `depth` tokens.
void fork_apart(Answers answers, const std::vector<int>& members, size_t depth,
                std::vector<AnswerFork>& forks) {
  std::map<TokenId, std::vector<int>> groups;
  while (members.size() > 1) {
    for (const int m : members) {
      const auto& answer = answers[static_cast<size_t>(m)];
      if (depth >= answer.size()) {
        fail("[decide] two answers are the same, or one begins the other: they cannot be told");
      }
      groups[answer[depth]].push_back(m);
    }
    if (groups.size() > 1) break;
    groups.clear();
    ++depth;
  }
  if (groups.empty()) return;
  const auto& any = answers[static_cast<size_t>(members.front())];
  AnswerFork fork{{any.begin(), any.begin() + static_cast<std::ptrdiff_t>(depth)},
                  {},
                  std::vector<int>(answers.size(), -1)};
  for (const auto& [token, group] : groups) {
    for (const int m : group) {
      fork.branch_of[static_cast<size_t>(m)] = static_cast<int>(fork.tokens.size());
    }
    fork.tokens.push_back(token);
  }
  forks.push_back(std::move(fork));
  for (const auto& [token, group] : groups) fork_apart(answers, group, depth + 1, forks);
}

}  // namespace

std::vector<AnswerFork> find_forks(Answers answers) {
  std::vector<int> all;
  for (size_t i = 0; i < answers.size(); ++i) all.push_back(static_cast<int>(i));
  std::vector<AnswerFork> forks;
  fork_apart(answers, all, 0, forks);
  return forks;
}

}  // namespace unmask
