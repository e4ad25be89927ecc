#include "constrain/vocabulary_trie.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "constrain/characters.h"
#include "core/error.h"
#include "io/text/utf8.h"

namespace unmask {

namespace {

/// Number of characters if all are plain, else 0.
int count_plain(std::string_view bytes) {
  int count = 0;
  for (size_t at = 0; at < bytes.size(); ++count) {
    const Utf8Step step = utf8_step(bytes, at);
    if (step.status != Utf8Status::valid || !is_plain(step.code_point)) return 0;
    at += static_cast<size_t>(step.length);
  }
  return count;
}

size_t common_prefix(std::string_view a, std::string_view b) {
  const auto [end, unused] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<size_t>(end - a.begin());
}

/// `tokens` in the order of their bytes.
VocabularyTrie::Trie build(std::span<const std::string> bytes, std::vector<TokenId> tokens) {
  VocabularyTrie::Trie trie;
  std::vector<int> path;  // nodes of the last token's bytes
  const auto close = [&](size_t depth) {
    for (; path.size() > depth; path.pop_back()) {
      trie.nodes[static_cast<size_t>(path.back())].end = static_cast<int>(trie.nodes.size());
    }
  };
  std::string_view last;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string_view text = bytes[static_cast<size_t>(tokens[i])];
    close(common_prefix(last, text));
    const auto index = static_cast<int>(i);
    while (path.size() < text.size()) {
      path.push_back(static_cast<int>(trie.nodes.size()));
      trie.nodes.push_back({.byte = static_cast<uint8_t>(text[path.size() - 1]),
                            .depth = static_cast<int>(path.size()),
                            .tokens_begin = index,
                            .tokens_end = index});
    }
    trie.nodes[static_cast<size_t>(path.back())].tokens_end = index + 1;
    trie.deepest = std::max(trie.deepest, static_cast<int>(text.size()));
    last = text;
  }
  close(0);
  trie.tokens = std::move(tokens);
  return trie;
}

}  // namespace

VocabularyTrie::VocabularyTrie(std::span<const std::string> bytes, std::vector<TokenId> end_ids)
    : end_ids_(std::move(end_ids)), characters_(bytes.size(), 0) {
  UNMASK_CHECK(!end_ids_.empty(), "a text needs a token that ends it");
  std::sort(end_ids_.begin(), end_ids_.end());
  UNMASK_CHECK(end_ids_.front() >= 0 && end_ids_.back() < size(), "end tokens are known");
  std::vector<TokenId> tokens;
  for (TokenId id = 0; id < size(); ++id) {
    const bool ends = std::binary_search(end_ids_.begin(), end_ids_.end(), id);
    if (!ends && !bytes[static_cast<size_t>(id)].empty()) tokens.push_back(id);
  }
  std::sort(tokens.begin(), tokens.end(), [&](TokenId a, TokenId b) {
    const int order = bytes[static_cast<size_t>(a)].compare(bytes[static_cast<size_t>(b)]);
    return order != 0 ? order < 0 : a < b;
  });
  for (const TokenId id : tokens) {
    const int count = count_plain(bytes[static_cast<size_t>(id)]);
    characters_[static_cast<size_t>(id)] = count;
    most_plain_characters_ = std::max(most_plain_characters_, count);
  }
  all_ = build(bytes, tokens);
  std::erase_if(tokens, [&](TokenId id) { return plain_characters(id) > 0; });
  not_plain_ = build(bytes, std::move(tokens));
}

}  // namespace unmask
