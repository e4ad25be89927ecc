// Holes that find their own length (DreamOn): what a step's tokens do to the canvas.
#pragma once

#include <vector>

#include "generate/request.h"

namespace unmask {

struct Grown {
  int expanded = 0;    // positions that became two
  bool moved = false;  // whether positions changed
};

/// Carries out what the tokens of `decided` ask for, with `expansions` at most; a position that
/// would be one too many is masked again. Of `decided` stays what is still there, at its new
/// position.
Grown grow_holes(const HoleGrowth& growth, int expansions, TokenId mask_id,
                 std::vector<TokenId>& tokens, std::vector<Decision>& decided);

}  // namespace unmask
