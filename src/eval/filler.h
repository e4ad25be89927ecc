// Texts that say nothing, and facts hidden in them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "eval/draw.h"

namespace unmask {

/// Tokens of a piece of text.
using CountTokens = std::function<int(std::string_view text)>;

/// Where the question of a text stands. The embedded model has seen `last` most.
enum class Wording : uint8_t { last, first, both };

/// Throws Error listing the names for an unknown one.
Wording parse_wording(std::string_view name);
std::vector<std::string> wording_names();

/// What a prompt may take, and how it is worded.
struct Room {
  int tokens = 0;
  CountTokens count;
  Wording wording = Wording::last;

  /// The most facts that a text hides: one for 24 tokens, as the embedded model was trained.
  int facts() const { return std::max(2, tokens / 24); }
};

/// What stands around a text that a question is asked about: "Text:" and " Question: ...", or as
/// another wording has it.
struct Frame {
  std::string before, after;
};
Frame frame_of(std::string_view question, Wording wording);

enum class FactOrder : uint8_t { any, given };

/// The facts among as many filler sentences as fit into the room, in the frame of the question.
/// Throws Error when not even the facts do.
std::string hide(Draw& draw, std::vector<std::string> facts, FactOrder order,
                 std::string_view question, const Room& room);

}  // namespace unmask
