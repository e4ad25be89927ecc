#include "methods/flash_cache.h"

#include <algorithm>
#include <utility>

namespace unmask {

namespace {

// The first two layers attend to neighbours, whatever these say: they have no vote, as released.
constexpr int kFirstVoting = 2;

/// A mask of the prompt is given text: guidance's second pass masks all of it.
bool is_open(const Step& step, int position) {
  return position >= step.prompt_length && step.masked(position);
}

}  // namespace

int FlashCache::deciding_row(int position) const { return std::max(0, position - shift_); }

std::vector<int> FlashCache::order_masks(const Step& step) const {
  std::vector<int> order;
  for (const int p : active_) {
    if (is_open(step, p) && p < step.block.end) order.push_back(p);
  }
  std::ranges::stable_sort(order, [&](int a, int b) {
    return step.confidence[static_cast<size_t>(a)] > step.confidence[static_cast<size_t>(b)];
  });
  for (int p = 0; p < step.length(); ++p) {
    if (is_open(step, p) && !std::ranges::binary_search(active_, p)) order.push_back(p);
  }
  return order;
}

std::vector<int> FlashCache::recompute(const Step& step) const {
  const auto is_new = [&](int p) { return std::ranges::count(step.last_decided, p) > 0; };
  std::vector<int> order;
  for (int p = 0; p < static_cast<int>(score_.size()); ++p) {
    if (!is_open(step, p) && !is_new(p)) order.push_back(p);
  }
  std::ranges::stable_sort(order, {}, [&](int p) { return score_[static_cast<size_t>(p)]; });
  order.insert(order.end(), step.last_decided.begin(), step.last_decided.end());
  const size_t most = std::min(order.size(), static_cast<size_t>(options_.decided));
  return {order.end() - static_cast<std::ptrdiff_t>(most), order.end()};
}

StepPlan FlashCache::plan_step(const Step& step) {
  const std::vector<int> masks = order_masks(step);
  // A step that has to decide more than the usual number finds as many.
  const auto most = static_cast<size_t>(std::max(options_.active, step.due.value_or(0)));
  active_.clear();
  for (const int p : masks) {
    if (active_.size() < most && p < step.block.end) active_.push_back(p);
  }
  std::ranges::sort(active_);
  std::vector<int> rows;
  if (known_ == 0) {
    const Rows all(step.all());
    rows.assign(all.begin(), all.end());
  } else {
    rows = recompute(step);
    for (const int p : active_) rows.push_back(deciding_row(p));
    const auto near = std::min(masks.size(), std::max(most, static_cast<size_t>(options_.masks)));
    for (size_t i = 0; i < near; ++i) rows.push_back(deciding_row(masks[i]));
    for (int p = known_; p < step.length(); ++p) rows.push_back(p);  // the canvas has grown
    std::ranges::sort(rows);
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  }
  known_ = step.length();
  score_.assign(static_cast<size_t>(known_), 0);
  return {.rows = Rows(std::move(rows)), .candidates = Rows(active_)};
}

Attention FlashCache::attend(AttendScope& scope) {
  const Attention attention = PositionCache::attend(scope);
  if (scope.layer >= kFirstVoting) score(scope, attention.kv.k);
  return attention;
}

void FlashCache::score(const AttendScope& scope, Tensor keys) {
  std::vector<int> asking;
  for (size_t i = 0; i < scope.query_positions.size(); ++i) {
    // A row may decide two masks: the first of a canvas, where rows decide what follows them.
    const int row = scope.query_positions[i];
    if (std::ranges::any_of(active_, [&](int p) { return deciding_row(p) == row; })) {
      asking.push_back(static_cast<int>(i));
    }
  }
  if (asking.empty()) return;
  const Tensor shape{nullptr, scope.q.dtype, static_cast<int>(asking.size()), scope.q.cols,
                     scope.q.cols};
  const size_t bytes = dense_bytes(shape.rows, shape.cols, shape.dtype);
  if (asking_.bytes() < bytes) asking_ = scope.backend.allocate(bytes);
  const Tensor queries = asking_.view(shape.rows, shape.cols, shape.dtype);
  scope.backend.gather(scope.q, Rows(std::move(asking)), queries);
  std::vector<float> of_layer(static_cast<size_t>(keys.rows));
  scope.backend.mean_query_scores(queries, keys, scope.shape, of_layer);
  for (size_t p = 0; p < of_layer.size(); ++p) score_[p] += static_cast<double>(of_layer[p]);
}

std::unique_ptr<Method> create_flash_cache(Options& options, const MethodContext& context) {
  FlashCacheOptions o;
  o.active = options.count("active", o.active, 1, kLongerThanAny);
  o.masks = options.count("masks", o.masks, 1, kLongerThanAny);
  o.decided = options.count("decided", o.decided, 0, kLongerThanAny);
  if (o.masks < o.active) {
    fail("[method] flash-cache: option 'masks': found {}, expected at least active, {}", o.masks,
         o.active);
  }
  return std::make_unique<FlashCache>(o, context.config);
}

}  // namespace unmask
