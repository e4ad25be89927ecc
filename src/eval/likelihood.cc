#include "eval/likelihood.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "eval/draw.h"
#include "eval/single_pass.h"
#include "eval/summary.h"
#include "methods/full.h"

namespace unmask {

namespace {

constexpr int kGroup = 8;
constexpr int kFewestGroups = 2;  // a standard error takes two
constexpr int kLogitRows = 64;    // rows of logits that exist at a time, as in the engine

using Masking = std::vector<int>;

/// log of the probability that a row of logits gives to `token`.
double log_probability(std::span<const float> logits, TokenId token) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float x : logits) sum += std::exp(static_cast<double>(x) - largest);
  return static_cast<double>(logits[static_cast<size_t>(token)]) - largest - std::log(sum);
}

/// Evaluates a group of maskings in one pass.
class GroupPass {
 public:
  GroupPass(Transformer& model, std::span<const TokenId> tokens, Range answer)
      : model_(model), tokens_(tokens), answer_(answer) {}

  /// L / l times the log-probabilities of the masked tokens, one a masking.
  std::vector<double> weigh(std::span<const Masking> maskings);

 private:
  /// Log-probabilities of `targets`, one for each row of `hidden`.
  std::vector<double> log_probabilities(Tensor hidden, std::span<const TokenId> targets);

  Transformer& model_;
  std::span<const TokenId> tokens_;
  Range answer_;
  Full method_;
  Buffer logits_;
};

std::vector<double> GroupPass::log_probabilities(Tensor hidden, std::span<const TokenId> targets) {
  const int vocab = model_.config().vocab_size;
  const auto width = static_cast<size_t>(vocab);
  if (logits_.bytes() == 0) {
    logits_ = model_.backend().allocate(kLogitRows * width * sizeof(float));
  }
  std::vector<float> host(kLogitRows * width);
  std::vector<double> found;
  for (int begin = 0; begin < hidden.rows; begin += kLogitRows) {
    const int n = std::min(kLogitRows, hidden.rows - begin);
    const Tensor logits = logits_.view(n, vocab);
    model_.logits(hidden.slice({begin, begin + n}), logits);
    model_.backend().download(logits, host.data());
    for (size_t r = 0; r < static_cast<size_t>(n); ++r) {
      found.push_back(
          log_probability(std::span(host).subspan(r * width, width), targets[found.size()]));
    }
  }
  return found;
}

std::vector<double> GroupPass::weigh(std::span<const Masking> maskings) {
  std::vector<std::vector<TokenId>> canvases(maskings.size(), {tokens_.begin(), tokens_.end()});
  std::vector<SinglePass> passes;
  passes.reserve(maskings.size());  // the slices refer to them
  std::vector<Slice> batch;
  std::vector<TokenId> targets;
  for (size_t i = 0; i < maskings.size(); ++i) {
    std::vector<int> masked;
    for (const int offset : maskings[i]) {
      masked.push_back(answer_.begin + offset);
      TokenId& token = canvases[i][static_cast<size_t>(masked.back())];
      targets.push_back(token);
      token = model_.config().mask_id;
    }
    passes.emplace_back(model_.config(), method_, canvases[i], answer_);
    batch.push_back(passes.back().slice(masked));
  }
  const std::vector<double> found = log_probabilities(model_.forward(batch), targets);
  std::vector<double> weighed;
  auto next = found.begin();
  for (const Masking& masking : maskings) {
    double sum = 0;
    for (size_t i = 0; i < masking.size(); ++i) sum += *next++;
    weighed.push_back(sum * answer_.size() / static_cast<double>(masking.size()));
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
  GroupPass pass(model, tokens, answer);
  Likelihood result;
  std::vector<double> groups;
  for (int begin = 0; begin < total; begin += kGroup) {
    if (progress && !progress(begin, total)) break;
    const auto group = std::span(maskings).subspan(
        static_cast<size_t>(begin), static_cast<size_t>(std::min(kGroup, total - begin)));
    groups.push_back(mean_of(pass.weigh(group)).value);
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
