#include "io/text/added_tokens.h"

#include "core/error.h"

namespace unmask {

void AddedTokenFinder::add(std::string_view text, TokenId id) {
  UNMASK_CHECK(!text.empty(), "an added token needs a text");
  starts_[static_cast<uint8_t>(text.front())] = true;
  size_t node = 0;
  for (const char c : text) {
    const auto [found, is_new] = edges_.try_emplace(edge(node, c), ends_.size());
    if (is_new) ends_.push_back(kNoToken);
    node = found->second;
  }
  ends_[node] = id;
}

std::optional<AddedTokenFinder::Match> AddedTokenFinder::find(std::string_view text,
                                                              size_t from) const {
  for (size_t at = from; at < text.size(); ++at) {
    if (!starts_[static_cast<uint8_t>(text[at])]) continue;
    if (const auto match = match_at(text, at)) return match;
  }
  return std::nullopt;
}

std::optional<AddedTokenFinder::Match> AddedTokenFinder::match_at(std::string_view text,
                                                                  size_t begin) const {
  std::optional<Match> longest;
  size_t node = 0;
  for (size_t at = begin; at < text.size(); ++at) {
    const auto next = edges_.find(edge(node, text[at]));
    if (next == edges_.end()) break;
    node = next->second;
    if (ends_[node] != kNoToken) longest = Match{begin, at + 1, ends_[node]};
  }
  return longest;
}

}  // namespace unmask
