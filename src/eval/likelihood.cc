#include "eval/likelihood.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "eval/draw.h"
#include "eval/summary.h"
#include "generate/probe.h"

namespace unmask {

namespace {

constexpr int kGroup = 8;
constexpr int kFewestGroups = 2;  // a standard error takes two

using Masking = std::vector<int>;

/// L / l times the log-probabilities of the masked tokens, one sum a masking.
std::vector<double> weigh(Probe& probe, TokenId mask_id, std::span<const TokenId> tokens,
                          Range answer, std::span<const Masking> maskings) {
  std::vector<ProbeCanvas> canvases;
  for (const Masking& masking : maskings) {
    ProbeCanvas canvas{{tokens.begin(), tokens.end()}, {}};
    for (const int offset : masking) {
      const int position = answer.begin + offset;
      TokenId& token = canvas.tokens[static_cast<size_t>(position)];
      canvas.points.push_back({position, {token}});
      token = mask_id;
    }
    canvases.push_back(std::move(canvas));
  }
  const std::vector<double> found = probe.log_probabilities(canvases);
  std::vector<double> weighed;
  auto next = found.begin();
  for (const Masking& masking : maskings) {
    double sum = 0;
    for (size_t i = 0; i < masking.size(); ++i) sum += *next++;
    weighed.push_back(sum * answer.size() / static_cast<double>(masking.size()));
  }
  return weighed;
}

}  // namespace

std::vector<std::vector<int>> draw_maskings(int length, const LikelihoodOptions& options) {
  if (length == 1) return {{0}};
  const int groups = std::max(kFewestGroups, (options.samples + kGroup - 1) / kGroup);
  std::vector<Masking> maskings;
  for (int g = 0; g < groups; ++g) {
    Draw draw(options.seed, "likelihood", length, g);
    const double start = draw.unit();
    for (int i = 0; i < kGroup; ++i) {
      const double place = start + static_cast<double>(i) / kGroup;
      const int count = 1 + static_cast<int>((place - std::floor(place)) * length);
      Masking masking = draw.sample(length, std::min(count, length));
      std::sort(masking.begin(), masking.end());
      maskings.push_back(std::move(masking));
    }
  }
  return maskings;
}

LikelihoodEstimate::LikelihoodEstimate(std::vector<TokenId> tokens, Range answer,
                                       const LikelihoodOptions& options)
    : tokens_(std::move(tokens)), answer_(answer) {
  if (answer.size() < 1) fail("[likelihood] the answer is empty; give it at least one token");
  maskings_ = draw_maskings(answer.size(), options);
}

bool LikelihoodEstimate::step(Transformer& model, int max_rows) {
  const int left_in_group = kGroup - done() % kGroup;
  const int fitting = std::max(1, max_rows / length());
  const int count = std::min({left_in_group, fitting, total() - done()});
  const auto piece = std::span(maskings_).subspan(weighed_.size(), static_cast<size_t>(count));
  Probe probe(model);
  for (const double w : weigh(probe, model.config().mask_id, tokens_, answer_, piece)) {
    weighed_.push_back(w);
  }
  return done() < total();
}

Likelihood LikelihoodEstimate::result() const {
  std::vector<double> groups;
  Likelihood result;
  for (int begin = 0; begin < done(); begin += kGroup) {
    const int count = std::min(kGroup, total() - begin);
    if (begin + count > done()) break;
    const auto group = std::span(weighed_).subspan(static_cast<size_t>(begin));
    groups.push_back(mean_of(group.first(static_cast<size_t>(count))).value);
    result.samples += count;
  }
  if (groups.empty()) return result;
  const Mean mean = mean_of(groups);
  result.log_likelihood = mean.value;
  result.standard_error = mean.standard_error;
  return result;
}

int likelihood_rows(int length, int answer_tokens) {
  return answer_tokens == 1 ? length : kGroup * length;
}

Likelihood log_likelihood(Transformer& model, std::span<const TokenId> tokens, Range answer,
                          const LikelihoodOptions& options, const LikelihoodProgress& progress) {
  LikelihoodEstimate estimate({tokens.begin(), tokens.end()}, answer, options);
  do {
    if (progress && !progress(estimate.done(), estimate.total())) break;
  } while (estimate.step(model, likelihood_rows(estimate.length(), answer.size())));
  return estimate.result();
}

Likelihood answer_log_likelihood(Transformer& model, std::span<const TokenId> prompt,
                                 std::span<const TokenId> answer, const LikelihoodOptions& options,
                                 const LikelihoodProgress& progress) {
  std::vector<TokenId> tokens(prompt.begin(), prompt.end());
  tokens.insert(tokens.end(), answer.begin(), answer.end());
  const Range range{static_cast<int>(prompt.size()), static_cast<int>(tokens.size())};
  return log_likelihood(model, tokens, range, options, progress);
}

}  // namespace unmask
