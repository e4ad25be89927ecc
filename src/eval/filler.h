// Texts that say nothing, and facts hidden in them.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "eval/draw.h"

namespace unmask {

/// Tokens of a piece of text.
using CountTokens = std::function<int(std::string_view text)>;

/// What a prompt may take.
struct Room {
  int tokens = 0;
  CountTokens count;

  /// The most facts that a text hides: one for 24 tokens, as the embedded model was trained.
  int facts() const { return std::max(2, tokens / 24); }
};

enum class FactOrder : uint8_t { any, given };

/// "Text: ... Question: ...": the facts among as many filler sentences as fit. Throws Error when
/// not even the facts do.
std::string hide(Draw& draw, std::vector<std::string> facts, FactOrder order,
                 std::string_view question, const Room& room);

}  // namespace unmask
