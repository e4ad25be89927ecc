#include "eval/seen_keys.h"

#include <algorithm>

#include "eval/attention_math.h"

namespace unmask {

std::vector<bool> SeenKeys::seen_by(int query, int head, int kv_head, int length) const {
  std::vector<bool> seen(static_cast<size_t>(length), false);
  std::span<const uint16_t> blocks;
  if (pattern) blocks = pattern->list(head, query / pattern->block_size());
  for (const int p : positions[static_cast<size_t>(kv_head)]) {
    const bool listed =
        !pattern || std::binary_search(blocks.begin(), blocks.end(),
                                       static_cast<uint16_t>(p / pattern->key_size()));
    seen[static_cast<size_t>(p)] = listed;
  }
  return seen;
}

Attention SeenKeysProbe::attend(AttendScope& scope) {
  const Attention attention = inner().attend(scope);
  SeenKeys& seen = layers_[static_cast<size_t>(scope.layer)];
  seen.positions.clear();
  for (int h = 0; h < scope.shape.n_kv_heads; ++h) {
    seen.positions.push_back(key_positions(inner(), scope, attention, h));
  }
  seen.pattern.reset();
  if (attention.pattern != nullptr) seen.pattern = *attention.pattern;
  return attention;
}

}  // namespace unmask
