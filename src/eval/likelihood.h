// How likely a masked diffusion model finds an answer: the Monte-Carlo estimate of LLaDA's
// evaluation (arXiv 2502.09992) in its form with exact counts of masks: l of the answer's L tokens
// are masked, l uniform in 1..L, and what the model says of them counts L / l times.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "model/transformer.h"

namespace unmask {

struct LikelihoodOptions {
  int samples = 128;  // maskings, at least 16 and rounded up to groups of 8; an answer of one token
                      // has only one
  uint64_t seed = 0;
};

struct Likelihood {
  double log_likelihood = 0;  // nats, of the whole answer; a lower bound in expectation
  double standard_error = 0;  // of the estimate; 0 for an answer of one token, which is exact
  int samples = 0;            // maskings that were evaluated
};

/// Called before each group of samples; returning false ends the estimate with what there is.
using LikelihoodProgress = std::function<bool(int done, int total)>;

/// The positions to mask in each sample, as offsets into an answer of `length` tokens, ascending.
/// The counts of a group of eight are spread evenly over 1 to `length` from a random start, as in
/// the published evaluation; groups are independent.
std::vector<std::vector<int>> draw_maskings(int length, const LikelihoodOptions& options);

/// The estimate of log p(answer | the other tokens), in pieces.
class LikelihoodEstimate {
 public:
  /// `answer` lies in `tokens`. Throws Error for an empty one.
  LikelihoodEstimate(std::vector<TokenId> tokens, Range answer, const LikelihoodOptions& options);

  /// A pass over as many maskings of a group of 8 as have at most `max_rows` tokens together, at
  /// least one. False after the last; there is at least one.
  bool step(Transformer& model, int max_rows);
  /// Of the groups that are complete.
  Likelihood result() const;

  int done() const { return static_cast<int>(weighed_.size()); }    // maskings
  int total() const { return static_cast<int>(maskings_.size()); }  // maskings
  int length() const { return static_cast<int>(tokens_.size()); }

 private:
  std::vector<TokenId> tokens_;
  Range answer_;
  std::vector<std::vector<int>> maskings_;
  std::vector<double> weighed_;  // L / l times the sum of log-probabilities, one a masking
};

/// Tokens of a pass of log_likelihood(): of the maskings of a group, over texts of `length` tokens.
int likelihood_rows(int length, int answer_tokens);

/// log p(answer | the other tokens); `answer` lies in `tokens`. Throws Error for an empty answer.
Likelihood log_likelihood(Transformer& model, std::span<const TokenId> tokens, Range answer,
                          const LikelihoodOptions& options,
                          const LikelihoodProgress& progress = {});

/// log p(answer | prompt), the answer right behind the prompt.
Likelihood answer_log_likelihood(Transformer& model, std::span<const TokenId> prompt,
                                 std::span<const TokenId> answer, const LikelihoodOptions& options,
                                 const LikelihoodProgress& progress = {});

}  // namespace unmask
