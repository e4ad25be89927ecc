#include "methods/refresh_rows.h"

#include "core/error.h"

namespace unmask {

namespace {

constexpr int kMost = 1 << 16;  // blocks

}  // namespace

RefreshOptions read_refresh_before(Options& options) {
  RefreshOptions o{.window = options.choice("refresh", {"full", "window"}) == "window"};
  o.before = options.count("before", o.before, 0, kMost);
  o.full_every = options.count("full_every", o.full_every, 1, kMost);
  o.window_every = options.count("window_every", o.window_every, 0, kMost);
  o.prompt_every = options.count("prompt_every", o.prompt_every, 1, kMost);
  for (const char* name : {"before", "after", "full_every", "window_every"}) {
    if (options.given(name) && !o.window) {
      fail("[method] option '{}': found without refresh=window, of which it speaks", name);
    }
  }
  if (options.given("full_every") && options.given("window_every")) {
    fail("[method] options 'full_every' and 'window_every': found both, expected one of them");
  }
  return o;
}

RefreshOptions read_refresh(Options& options) {
  RefreshOptions o = read_refresh_before(options);
  o.after = options.count("after", o.after, 0, kMost);
  o.suffix = options.choice("suffix", {"fresh", "keep"}) == "fresh";
  return o;
}

const Rows& RefreshRows::of(const Step& step) {
  if (step.block.begin != begin_) {
    begin_ = step.block.begin;
    ++block_;
    rows_ = Rows();
  }
  note(step);
  if (rows_.empty()) rows_ = choose(step);
  return rows_;
}

void RefreshRows::computed(const Step& step, const StepPlan& plan) {
  note(step);
  if (plan.steady && step.due == 0) return;  // the loop leaves out such a step
  for (const int p : plan.rows) due_[static_cast<size_t>(p)] = false;
}

void RefreshRows::note(const Step& step) {
  due_.resize(static_cast<size_t>(step.length()), true);
  for (const int p : step.last_decided) due_[static_cast<size_t>(p)] = true;
}

Rows RefreshRows::choose(const Step& step) const {
  const bool first = block_ == 0;
  if (options_.prompt_chunk == 0 && (first || options_.everything())) return Rows(step.all());
  const auto chosen = [&](int p) {
    return due_[static_cast<size_t>(p)] || (!first && wants(step, p));
  };
  bool prompt = false;
  for (int p = 0; p < step.prompt_length && options_.whole_prompt; ++p) prompt |= chosen(p);
  std::vector<int> rows;
  for (int p = 0; p < step.length(); ++p) {
    if ((prompt && p < step.prompt_length) || chosen(p)) rows.push_back(p);
  }
  return Rows(std::move(rows));
}

bool RefreshRows::wants(const Step& step, int position) const {
  const Range block = step.block;
  if (block.contains(position) || (row_before_ && position == block.begin - 1)) return true;
  if (position >= block.end && !options_.suffix) return false;
  if (position < step.prompt_length && block_ % options_.prompt_every != 0) return false;
  const bool windowed = options_.window_every > 0
                            ? block_ % options_.window_every == options_.window_every - 1
                            : block_ % options_.full_every != 0;
  if (!options_.window || !windowed) return true;
  if (options_.whole_prompt && position < step.prompt_length) return false;
  const int size = block.size();
  return position >= block.begin - options_.before * size &&
         position < block.end + options_.after * size;
}

}  // namespace unmask
