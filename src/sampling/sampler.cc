#include "sampling/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/random.h"

namespace unmask {

namespace {

constexpr std::array kAlgorithmNames{"low_confidence", "random", "maskgit_plus", "topk_margin",
                                     "entropy",        "origin", "sequential"};

/// Streams of random numbers of one (seed, step, position); token_stats.cc uses others.
enum Stream : uint32_t { kOrderStream = 1, kPlaceStream = 2, kOriginStream = 3 };

double uniform(const SamplerOptions& options, Stream stream, int step, int position) {
  const auto bits =
      Philox(options.seed)(0, static_cast<uint32_t>(position), static_cast<uint32_t>(step), stream);
  return open_unit(bits[0], bits[1]);
}

/// How early algorithm random serves a position, in [0, 1]. One draw for the whole generation: the
/// order of the positions that are left is as random as if it were drawn again in each step.
float earliness(const SamplerOptions& options, int position) {
  if (options.order.empty()) {
    return static_cast<float>(uniform(options, kOrderStream, /*step=*/0, position));
  }
  const auto found = std::find(options.order.begin(), options.order.end(), position);
  return static_cast<float>(options.order.end() - found) / static_cast<float>(options.order.size());
}

/// Longest prefix of descending confidences with c_i >= 1 - factor / (i + 1), i counted from 1, at
/// least one. If only the very last one fails it is taken all the same, as the published code does.
int factor_prefix(const std::vector<Decision>& surest_first, double factor) {
  const int m = static_cast<int>(surest_first.size());
  int n = 1;
  while (n < m && surest_first[static_cast<size_t>(n)].confidence >= 1 - factor / (n + 2)) ++n;
  return n == m - 1 ? m : n;
}

/// How many of them pass the threshold, `least` at any rate.
int threshold_prefix(const SamplerOptions& options, const std::vector<Decision>& surest_first,
                     int least) {
  const double threshold = *options.threshold;
  int n = std::min(least, static_cast<int>(surest_first.size()));
  while (n < static_cast<int>(surest_first.size())) {
    const double confidence = surest_first[static_cast<size_t>(n)].confidence;
    if (options.above ? confidence <= threshold : confidence < threshold) break;
    ++n;
  }
  return n;
}

/// Moves those that leap over the threshold, or pass it, to the front and counts them: at least
/// one.
int leap_front(const SamplerOptions& options, std::vector<Decision>& surest_first) {
  const auto anchors = static_cast<size_t>(threshold_prefix(options, surest_first, 0));
  const std::vector<Decision> sure(surest_first.begin(),
                                   surest_first.begin() + static_cast<ptrdiff_t>(anchors));
  const auto is_near = [&](const Decision& d) {
    return d.confidence >= options.leap->threshold &&
           std::ranges::any_of(sure, [&](const Decision& anchor) {
             return std::abs(anchor.position - d.position) <= options.leap->radius;
           });
  };
  const auto rest = surest_first.begin() + static_cast<ptrdiff_t>(anchors);
  const auto end = std::stable_partition(rest, surest_first.end(), is_near);
  return std::max(1, static_cast<int>(end - surest_first.begin()));
}

/// The order in which positions are served: confidence, or with alg_temp a draw without replacement
/// from softmax(confidence / alg_temp), which is the order of confidence / alg_temp plus Gumbel
/// noise.
std::vector<double> priorities(const SamplerOptions& options,
                               const std::vector<Decision>& decisions, int step) {
  std::vector<double> order;
  for (const Decision& d : decisions) {
    double value = d.confidence;
    if (options.alg_temp > 0) {
      const double u = uniform(options, kPlaceStream, step, d.position);
      value = value / options.alg_temp - std::log(-std::log(u));
    }
    order.push_back(value);
  }
  return order;
}

std::vector<Decision> surest_first(const SamplerOptions& options, std::vector<Decision> all,
                                   int step) {
  const std::vector<double> order = priorities(options, all, step);
  std::vector<size_t> index(all.size());
  for (size_t i = 0; i < index.size(); ++i) index[i] = i;
  std::stable_sort(index.begin(), index.end(),
                   [&](size_t a, size_t b) { return order[a] > order[b]; });
  std::vector<Decision> sorted;
  sorted.reserve(all.size());
  for (const size_t i : index) sorted.push_back(all[i]);
  return sorted;
}

std::vector<Decision> draw_origin(const SamplerOptions& options, std::vector<Decision> all,
                                  const Budget& budget, int step) {
  std::erase_if(all, [&](const Decision& d) {
    return uniform(options, kOriginStream, step, d.position) >= budget.probability;
  });
  return all;
}

template <typename... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) {
  fail(ErrorCode::sampler, format, std::forward<Args>(args)...);
}

void check_rules(const SamplerOptions& o) {
  if (o.leap && !o.threshold) {
    refuse("[sampler] leap: found no threshold, which is what a token leaps over; give one");
  }
  if (o.leap && !(o.leap->threshold > 0 && o.leap->threshold <= *o.threshold)) {
    refuse("[sampler] leap: found {}, expected a probability above 0, at most the threshold of {}",
           o.leap->threshold, *o.threshold);
  }
  if (o.leap && o.leap->radius < 1) {
    refuse("[sampler] leap: found a radius of {}, expected at least 1", o.leap->radius);
  }
  if (o.credit && (o.temperature > 0 || o.top_p || o.top_k || o.remask)) {
    refuse(
        "[sampler] credit: found a temperature, a filter or remasking, expected none: it ranks the "
        "most likely tokens");
  }
  const bool probabilities =
      o.algorithm == Algorithm::low_confidence || o.algorithm == Algorithm::maskgit_plus;
  if (o.credit && !probabilities) {
    refuse("[sampler] credit: found '{}', expected low_confidence or maskgit_plus",
           algorithm_name(o.algorithm));
  }
}

void check_drafts(const SamplerOptions& o) {
  if (*o.drafts < 2) {
    refuse("[sampler] drafts: found {}, expected at least 2: the canvas and what it may become",
           *o.drafts);
  }
  if (o.dynamic()) {
    refuse(
        "[sampler] drafts: found a threshold or a factor, expected neither: a draft is right where "
        "each step decides a number of tokens that is fixed beforehand");
  }
  if (o.editing || o.remask || o.credit) {
    refuse(
        "[sampler] drafts: found editing, remasking or credit, expected none of them: steps must "
        "follow from one pass and leave decided tokens alone");
  }
  if (o.algorithm == Algorithm::random || o.algorithm == Algorithm::origin) {
    refuse("[sampler] drafts: found '{}', expected an algorithm that ranks what a pass proposes",
           algorithm_name(o.algorithm));
  }
}

}  // namespace

Algorithm parse_algorithm(std::string_view name) {
  for (size_t i = 0; i < kAlgorithmNames.size(); ++i) {
    if (kAlgorithmNames[i] == name) return static_cast<Algorithm>(i);
  }
  fail("[sampler] unknown algorithm '{}'; use {}", printable(name),
       fmt::join(kAlgorithmNames, ", "));
}

std::string_view algorithm_name(Algorithm algorithm) {
  return kAlgorithmNames[static_cast<size_t>(algorithm)];
}

bool is_llada_algorithm(Algorithm algorithm) {
  return algorithm == Algorithm::low_confidence || algorithm == Algorithm::random;
}

void check_options(const SamplerOptions& o) {
  const auto name = algorithm_name(o.algorithm);
  if (!(o.temperature >= 0 && std::isfinite(o.temperature))) {
    refuse("[sampler] temperature: found {}, expected a number >= 0", o.temperature);
  }
  if (!(o.alg_temp >= 0 && std::isfinite(o.alg_temp)))
    refuse("[sampler] alg_temp: found {}, expected >= 0", o.alg_temp);
  if (o.top_p && !(*o.top_p > 0 && *o.top_p <= 1)) {
    refuse("[sampler] top_p: found {}, expected a number in (0, 1]", *o.top_p);
  }
  if (o.top_k && *o.top_k < 1) refuse("[sampler] top_k: found {}, expected at least 1", *o.top_k);
  if (!(o.eps > 0 && o.eps < 1)) refuse("[sampler] eps: found {}, expected in (0, 1)", o.eps);
  if (is_llada_algorithm(o.algorithm) && (o.top_p || o.top_k)) {
    refuse("[sampler] top_p and top_k belong to Dream's algorithms; '{}' has no such filter", name);
  }
  if (o.alg_temp > 0 && (is_llada_algorithm(o.algorithm) || o.algorithm == Algorithm::origin)) {
    refuse("[sampler] alg_temp has no meaning for algorithm '{}'", name);
  }
  if (o.threshold && o.factor) refuse("[sampler] use threshold or factor, not both");
  if (o.threshold && !(*o.threshold > 0 && *o.threshold <= 1)) {
    refuse("[sampler] threshold: found {}, expected a probability in (0, 1]", *o.threshold);
  }
  if (o.factor && !(*o.factor > 0 && std::isfinite(*o.factor)))
    refuse("[sampler] factor: found {}, expected > 0", *o.factor);
  if (!o.threshold && (o.paced || o.above || o.least)) {
    refuse("[sampler] paced, above and least have a meaning only with a threshold");
  }
  check_rules(o);
  if (o.drafts) check_drafts(o);
  if (o.per_step < 1) refuse("[sampler] per_step: found {}, expected at least 1", o.per_step);
  if (o.editing && !(o.editing->threshold >= 0 && o.editing->threshold <= 1)) {
    refuse("[sampler] editing: found threshold {}, expected a probability in [0, 1]",
           o.editing->threshold);
  }
  if (o.editing && o.editing->rounds < 0) {
    refuse("[sampler] editing: found {} rounds, expected at least 0", o.editing->rounds);
  }
  if (o.remask && (o.dynamic() || o.editing || o.algorithm == Algorithm::origin)) {
    refuse(
        "[sampler] remasking decides by itself how many tokens are left; use it without "
        "threshold, factor, editing and algorithm origin");
  }
  if (!o.order.empty() && o.algorithm != Algorithm::random) {
    refuse("[sampler] order: '{}' chooses positions by itself; use algorithm random", name);
  }
  const bool probabilities =
      o.algorithm == Algorithm::low_confidence || o.algorithm == Algorithm::maskgit_plus;
  if (o.dynamic() && (!probabilities || o.alg_temp > 0)) {
    refuse(
        "[sampler] threshold and factor compare probabilities: use low_confidence or "
        "maskgit_plus without alg_temp, not '{}'",
        name);
  }
}

TokenQuery token_query(const SamplerOptions& options, TokenId mask_id,
                       std::span<const TokenId> eos_ids, int step) {
  TokenQuery query;
  query.noise = is_llada_algorithm(options.algorithm) ? Noise::gumbel : Noise::categorical;
  if (options.greedy) query.noise = Noise::none;
  query.top_k_first = options.top_k_first;
  query.temperature = options.temperature;
  query.top_p = options.top_p;
  query.top_k = options.top_k;
  query.forbidden = {mask_id};  // a decided mask would stay undecided for ever
  if (options.suppress_eos) query.removed.assign(eos_ids.begin(), eos_ids.end());
  if (options.defer_eos) query.without_confidence.assign(eos_ids.begin(), eos_ids.end());
  query.removed.insert(query.removed.end(), options.suppressed.begin(), options.suppressed.end());
  query.without_confidence.insert(query.without_confidence.end(), options.deferred.begin(),
                                  options.deferred.end());
  query.seed = options.seed;
  query.step = step;
  return query;
}

std::optional<Surety> plain_surety(const SamplerOptions& o) {
  const bool filtered = o.top_k || (o.top_p && *o.top_p < 1);
  if (o.temperature > 0 || o.alg_temp > 0 || filtered || o.dynamic()) return std::nullopt;
  if (o.editing || o.remask || o.credit || o.attach_eos || o.drafts) return std::nullopt;
  switch (o.algorithm) {
    case Algorithm::low_confidence:
    case Algorithm::maskgit_plus: return Surety::probability;
    case Algorithm::topk_margin: return Surety::margin;
    case Algorithm::entropy: return Surety::neg_entropy;
    case Algorithm::random:
    case Algorithm::sequential:
    case Algorithm::origin: break;
  }
  return std::nullopt;
}

float confidence(const SamplerOptions& options, const Candidate& candidate) {
  switch (options.algorithm) {
    case Algorithm::random: return earliness(options, candidate.position);
    case Algorithm::sequential: return static_cast<float>(-candidate.position);
    case Algorithm::topk_margin: return candidate.stats.margin;
    case Algorithm::entropy: return candidate.stats.neg_entropy;
    case Algorithm::low_confidence:
    case Algorithm::maskgit_plus:
    case Algorithm::origin: break;
  }
  return candidate.stats.probability;
}

std::vector<Decision> find_edits(const SamplerOptions& options,
                                 std::span<const Candidate> candidates,
                                 std::span<const TokenId> tokens) {
  std::vector<Decision> edits;
  for (const Candidate& c : candidates) {
    const float sure = c.stats.probability;
    if (c.stats.token == tokens[static_cast<size_t>(c.position)]) continue;
    if (sure > options.editing->threshold) edits.push_back({c.position, c.stats.token, sure});
  }
  return edits;
}

std::vector<Decision> remask(const SamplerOptions& options, std::span<const Candidate> candidates,
                             std::span<const TokenId> tokens, int masked, TokenId mask_id) {
  std::vector<Decision> all;
  for (const Candidate& c : candidates) {
    all.push_back({c.position, c.stats.token, confidence(options, c)});
  }
  std::stable_sort(all.begin(), all.end(), [](const Decision& a, const Decision& b) {
    return a.confidence < b.confidence;
  });
  std::vector<Decision> changed;
  for (size_t i = 0; i < all.size(); ++i) {
    const TokenId old = tokens[static_cast<size_t>(all[i].position)];
    if (i < static_cast<size_t>(masked)) {
      all[i].token = mask_id;
    } else if (old != mask_id) {
      continue;
    }
    if (all[i].token != old) changed.push_back(all[i]);
  }
  std::sort(changed.begin(), changed.end(),
            [](const Decision& a, const Decision& b) { return a.position < b.position; });
  return changed;
}

std::vector<int> random_order(const SamplerOptions& options, std::vector<int> positions) {
  std::stable_sort(positions.begin(), positions.end(),
                   [&](int a, int b) { return earliness(options, a) > earliness(options, b); });
  return positions;
}

std::vector<Decision> decide(const SamplerOptions& options, std::span<const Candidate> candidates,
                             const Budget& budget, int step) {
  std::vector<Decision> all;
  for (const Candidate& c : candidates) {
    all.push_back({c.position, c.stats.token, confidence(options, c)});
  }
  if (all.empty()) return all;
  if (options.algorithm == Algorithm::origin) return draw_origin(options, all, budget, step);

  std::vector<Decision> chosen = surest_first(options, std::move(all), step);
  int count = budget.count;
  if (options.leap) {
    const int leapt = leap_front(options, chosen);
    count = options.least ? std::max(count, leapt) : std::min(count, leapt);
  } else if (options.threshold && options.least) {
    count = threshold_prefix(options, chosen, count);
  } else if (options.threshold) {
    count = std::min(count, threshold_prefix(options, chosen, 1));
  }
  if (options.factor) count = std::min(count, factor_prefix(chosen, *options.factor));
  chosen.resize(std::min(chosen.size(), static_cast<size_t>(std::max(count, 0))));
  std::sort(chosen.begin(), chosen.end(),
            [](const Decision& a, const Decision& b) { return a.position < b.position; });
  return chosen;
}

}  // namespace unmask
