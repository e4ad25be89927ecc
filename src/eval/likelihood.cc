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

Likelihood log_likelihood(Transformer& model, std::span<const TokenId> tokens, Range answer,
                          const LikelihoodOptions& options, const LikelihoodProgress& progress) {
  if (answer.size() < 1) fail("[likelihood] the answer is empty; give it at least one token");
  const std::vector<Masking> maskings = draw_maskings(answer.size(), options);
  const auto total = static_cast<int>(maskings.size());
  Probe probe(model);
  Likelihood result;
  std::vector<double> groups;
  for (int begin = 0; begin < total; begin += kGroup) {
    if (progress && !progress(begin, total)) break;
    const auto group = std::span(maskings).subspan(
        static_cast<size_t>(begin), static_cast<size_t>(std::min(kGroup, total - begin)));
    groups.push_back(mean_of(weigh(probe, model.config().mask_id, tokens, answer, group)).value);
    result.samples += static_cast<int>(group.size());
  }
  if (groups.empty()) return result;
  const Mean mean = mean_of(groups);
  result.log_likelihood = mean.value;
  result.standard_error = mean.standard_error;
  return result;
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
