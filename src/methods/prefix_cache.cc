#include "methods/prefix_cache.h"

#include <algorithm>

namespace unmask {

StepPlan PrefixCache::plan_step(const Step& step) {
  if (step.due == 0) return {};
  const Visibility visibility = visibility_.of(step.prompt_length);
  const Range block = step.block;
  const int end = visibility.end(block.end - 1, step.length());
  const bool begins = block.begin == 0 || visibility.end(block.begin - 1, end) == block.begin;
  planned_ = count_final(step, visibility);
  if (options_.first_alone && begins && block.begin > 0 && step.masked(block.begin)) {
    return {.rows = Rows(Range{std::min(final_, block.begin - 1), block.begin}),
            .decides = {block.begin, block.begin + 1}};
  }
  if (options_.sub_block > 0 && whole_ == end) {
    // The first part of a generation may begin inside of the prompt.
    const int begin = end - (end - block.begin + options_.sub_block - 1) / options_.sub_block *
                                options_.sub_block;
    if (begin >= 0 && !step.masked(begin)) return {.rows = Rows(Range{begin, block.end})};
  }
  whole_ = end;
  const bool shifted = options_.logit_shift > 0 && final_ < step.length() && step.masked(final_);
  return {.rows = Rows(Range{std::max(0, final_ - (shifted ? 1 : 0)), end}),
          .drafts = options_.sub_block == 0};
}

int PrefixCache::count_final(const Step& step, const Visibility& visibility) const {
  int done = final_;
  while (done < step.block.begin) {
    const int next = visibility.end(done, step.length());
    const auto tokens =
        step.tokens.subspan(static_cast<size_t>(done), static_cast<size_t>(next - done));
    const bool open = std::find(tokens.begin(), tokens.end(), step.mask_id) != tokens.end();
    if (next > step.block.begin || open) break;
    done = next;
  }
  return done;
}

Attention PrefixCache::attend(AttendScope& scope) {
  final_ = planned_;
  if (scope.layer == 0) {
    UNMASK_CHECK(scope.positions.front() <= known_, "a cache by position grows without gaps");
    known_ = std::max(known_, scope.positions.back() + 1);
  }
  // Room for the whole canvas: a store that grew with each block would be copied and packed again.
  // What no pass has filled yet lies behind the ends of the keys that the queries see.
  if (scope.store.slots() < scope.step.length()) {
    scope.store.grow(scope.backend, scope.step.length(), scope.k.cols);
  }
  const std::vector<int> slots(scope.positions.begin(), scope.positions.end());
  return {scope.store.put(scope.backend, Rows(slots), scope.k, scope.v)};
}

std::vector<int> PrefixCache::slot_positions(const AttendScope& scope, int kv_head) const {
  std::vector<int> positions = PositionCache::slot_positions(scope, kv_head);
  positions.resize(std::min(positions.size(), static_cast<size_t>(known_)));
  return positions;
}

PrefixCacheOptions prefix_cache_options(const ModelConfig& config) {
  return {.logit_shift = config.logit_shift, .first_alone = config.family == Family::fast_dllm_v2};
}

std::unique_ptr<Method> create_prefix_cache(Options& options, const MethodContext& context) {
  PrefixCacheOptions o = prefix_cache_options(context.config);
  o.sub_block = options.count("sub_block", 0, 0, 1 << 20);
  return std::make_unique<PrefixCache>(context.config.visibility, o);
}

}  // namespace unmask
