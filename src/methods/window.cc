#include "methods/window.h"

#include <algorithm>

#include "methods/options.h"

namespace unmask {

Window::Settings Window::read(Options& options, bool with_sinks) {
  Settings s;
  s.window = options.count("window", s.window, 1, kLongerThanAny);
  s.share = options.number("share", s.share, 0, 1);
  s.block = options.count("block", s.block, 8, 128);
  s.skip = options.number("skip", s.skip, 0, 1);
  // Four first tokens are what StreamingLLM keeps.
  if (with_sinks) s.sinks = options.count("sinks", 4, 0, kLongerThanAny);
  return s;
}

Attention Window::attend(AttendScope& scope) {
  if (scope.step.length() != length_) {
    length_ = scope.step.length();
    pattern_ = pattern(length_);
  }
  const bool full = scope.step.index < static_cast<int>(scope.step.total * settings_.skip);
  return {.kv = {scope.k, scope.v}, .pattern = full ? nullptr : &pattern_};
}

BlockPattern Window::pattern(int length) const {
  const int block = settings_.block;
  const int blocks = (length + block - 1) / block;
  const int sink_blocks = (settings_.sinks + block - 1) / block;
  const int window =
      settings_.share > 0 ? static_cast<int>(length * settings_.share) : settings_.window;
  const int half = window / 2;
  BlockPattern pattern(block, n_heads_, blocks);
  for (int row = 0; row < n_heads_ * blocks; ++row) {
    // The block reads what any of its positions sees.
    const int query_block = row % blocks;
    const int first = std::max(0, query_block * block - half) / block;
    const int last = std::min(length - 1, (query_block + 1) * block - 1 + half) / block;
    std::vector<uint16_t> list;
    for (int b = 0; b < blocks; ++b) {
      if (b < sink_blocks || (first <= b && b <= last)) list.push_back(static_cast<uint16_t>(b));
    }
    pattern.append(list);
  }
  return pattern;
}

}  // namespace unmask
