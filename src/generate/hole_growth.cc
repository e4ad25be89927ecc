#include "generate/hole_growth.h"

#include <algorithm>

namespace unmask {

Grown grow_holes(const HoleGrowth& growth, int expansions, TokenId mask_id,
                 std::vector<TokenId>& tokens, std::vector<Decision>& decided) {
  Grown grown;
  std::vector<Decision> kept;
  // From the right, so that the positions to the left stay what they are.
  for (auto d = decided.rbegin(); d != decided.rend(); ++d) {
    const auto at = tokens.begin() + d->position;
    int shift = 0;
    if (d->token == growth.expand_id) {
      *at = mask_id;
      if (grown.expanded == expansions) continue;
      tokens.insert(at, mask_id);
      ++grown.expanded;
      shift = 1;
    } else if (growth.delete_id == d->token) {
      tokens.erase(at);
      shift = -1;
    } else {
      kept.push_back(*d);
      continue;
    }
    grown.moved = true;
    for (Decision& right : kept) right.position += shift;
  }
  std::reverse(kept.begin(), kept.end());
  decided = std::move(kept);
  if (growth.fill_behind_end) {
    const auto end = std::find(tokens.begin(), tokens.end(), growth.end_id);
    std::replace(end, tokens.end(), mask_id, growth.end_id);
  }
  return grown;
}

}  // namespace unmask
