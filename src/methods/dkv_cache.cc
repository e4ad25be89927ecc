#include "methods/dkv_cache.h"

#include <limits>

namespace unmask {

namespace {

/// Adds the `count` masks nearest to `position` that are not in yet, left and right in turn.
void widen(const Step& step, int position, int count, std::vector<bool>& in) {
  const auto add = [&](int p) {
    if (p < 0 || p >= step.length() || in[static_cast<size_t>(p)] || !step.masked(p)) return;
    in[static_cast<size_t>(p)] = true;
    --count;
  };
  for (int distance = 1; distance < step.length(); ++distance) {
    if (count > 0) add(position - distance);
    if (count > 0) add(position + distance);
  }
}

}  // namespace

StepPlan DkvCache::plan_step(const Step& step) {
  StepPlan plan{.rows = Rows(step.all())};
  known_ = static_cast<int>(decided_.size());
  decided_.resize(static_cast<size_t>(step.length()));
  if (!refreshes(step)) {
    const std::vector<bool> in = wanted(step);
    std::vector<int> rows;
    for (int p = 0; p < step.length(); ++p) {
      if (in[static_cast<size_t>(p)]) rows.push_back(p);
    }
    plan.rows = Rows(std::move(rows));
  }
  for (int p = 0; p < step.length(); ++p) decided_[static_cast<size_t>(p)] = !step.masked(p);
  return plan;
}

bool DkvCache::refreshes(const Step& step) const {
  switch (options_.variant) {
    case DkvVariant::decode: return step.in_block <= 1 || step.in_block % options_.refresh == 0;
    case DkvVariant::greedy: return step.in_block % options_.refresh == 0;
    case DkvVariant::decoded: return step.index % options_.refresh == 0;
    case DkvVariant::prefill:
    case DkvVariant::pd: break;
  }
  return step.index == 0;
}

std::vector<bool> DkvCache::wanted(const Step& step) const {
  if (options_.variant == DkvVariant::greedy) return near_decisions(step);
  const bool keeps_prompt =
      options_.variant == DkvVariant::prefill || options_.variant == DkvVariant::pd;
  // Without blocks nothing but the prompt is frozen in a refresh, and in `prefill` never more.
  const bool all_else = options_.variant == DkvVariant::prefill ||
                        (options_.variant == DkvVariant::pd && step.index % options_.refresh == 0);
  std::vector<bool> in;
  for (int row = 0; row < step.length(); ++row) {
    // The last row of the prompt decides the first generated token, so it is not frozen with it.
    const bool frozen = keeps_prompt && row < step.prompt_length - 1;
    in.push_back(!frozen && (all_else || !settled(step, row)));
  }
  return in;
}

bool DkvCache::settled(const Step& step, int row) const {
  if (row >= known_) return false;
  const auto r = static_cast<size_t>(row);
  if (options_.variant == DkvVariant::decode) return decided_[r];
  // A row predicts its right neighbour; the last one predicts nothing and settles after a step.
  const bool target = row + 1 < step.length() ? decided_[r + 1] : step.index > 1;
  return target && (!options_.un_right || decided_[r]);
}

std::vector<bool> DkvCache::near_decisions(const Step& step) const {
  std::vector<bool> in(static_cast<size_t>(step.length()));
  for (const int p : step.last_decided) in[static_cast<size_t>(p)] = true;
  for (const int p : step.scheduled) in[static_cast<size_t>(p)] = true;
  for (const int p : step.scheduled) widen(step, p, options_.window, in);
  return in;
}

std::unique_ptr<Method> create_dkv_cache(Options& options, const MethodContext& context) {
  constexpr int kMax = std::numeric_limits<int>::max();
  DkvCacheOptions o;
  if (context.config.logit_shift == 0) {
    if (options.choice("variant", {"decode", "greedy"}) == "greedy") o.variant = DkvVariant::greedy;
    const bool greedy = o.variant == DkvVariant::greedy;
    o.refresh = options.count("refresh", greedy ? 2 : 8, 1, kMax);
    if (greedy) o.window = options.count("window", 4, 0, kMax);
  } else {
    const std::string_view variant = options.choice("variant", {"decoded", "prefill", "pd"});
    o.variant = variant == "decoded"   ? DkvVariant::decoded
                : variant == "prefill" ? DkvVariant::prefill
                                       : DkvVariant::pd;
    if (variant != "prefill") {
      o.refresh = options.count("refresh", 4, 1, kMax);
      o.un_right = options.choice("shift", {"un", "un_right"}) == "un_right";
    }
  }
  return std::make_unique<DkvCache>(o);
}

}  // namespace unmask
