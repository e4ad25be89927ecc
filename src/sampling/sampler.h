// Chooses which masked positions a step decides, and with which tokens.
//
// Two independent choices: a confidence (probability, margin, negative entropy, random) and a rule
// (the k surest, all above a threshold, a factor rule). The field has names for their combinations,
// and the names below are these.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/backend.h"
#include "sampling/credit.h"

namespace unmask {

enum class Algorithm : uint8_t {
  low_confidence,  // LLaDA: surest tokens first, Gumbel noise (generate.py)
  random,          // LLaDA: positions in random order
  maskgit_plus,    // Dream: surest tokens first, categorical noise
  topk_margin,     // Dream: by the margin of the two best tokens
  entropy,         // Dream: by negative entropy
  origin,          // Dream: every position with the schedule's probability
  sequential       // SDAR: from left to right
};

/// How many tokens each step of a block decides.
enum class Counts : uint8_t {
  even,        // LLaDA: masks / steps, one more in the first masks % steps steps
  times,       // Dream: by times from 1 to eps in float32
  even_block,  // LLaDA2, SDAR: as even, of the block's positions, however many are masked
  linear,      // A2D (MDLM, BD3LM): round(left * share) of a linear schedule, without empty steps
  countdown,   // RND1: masks * (steps to come) / steps are left; the last two steps are one
  fixed        // LLaDA2.1, DreamOn: `per_step`, as long as there are masks
};

/// Revising tokens that were decided (LLaDA2.1): within the block being denoised a token makes way
/// for another one that is surer than `threshold`.
struct Editing {
  double threshold = 0.9;
  int rounds = 16;  // passes over a block without masks, at most; it is left when one edits nothing
};

/// LocalLeap (arXiv 2510.07081): a token that passes the threshold makes its neighbourhood surer,
/// so that less will do there.
struct Leap {
  double threshold = 0.75;  // of a mask within `radius` of one that passes the sampler's threshold
  int radius = 4;           // positions on either side
};

/// Throws Error listing the names for an unknown one.
Algorithm parse_algorithm(std::string_view name);
std::string_view algorithm_name(Algorithm algorithm);
/// LLaDA's samplers spread tokens evenly over steps and perturb with Gumbel noise; Dream's follow a
/// time schedule and draw from the filtered distribution.
bool is_llada_algorithm(Algorithm algorithm);

struct SamplerOptions {
  Algorithm algorithm = Algorithm::low_confidence;
  double temperature = 0;
  std::optional<double> top_p{};      // Dream's algorithms only
  std::optional<int> top_k{};         // Dream's algorithms only
  bool top_k_first = false;           // as in TokenQuery
  double alg_temp = 0;                // > 0: positions are drawn by softmax(confidence / alg_temp)
  float eps = 1e-3F;                  // last time of Dream's schedule
  std::optional<Counts> counts{};     // none: even for LLaDA's algorithms, times for the others
  int per_step = 1;                   // of Counts::fixed
  std::optional<double> threshold{};  // decide all that are at least this probable (Fast-dLLM)
  bool above = false;                 // with threshold: that are more probable than it
  bool least = false;  // with threshold: at least as many as the counts say (LLaDA2, SDAR)
  std::optional<double> factor{};      // decide the longest prefix with c_i >= 1 - factor / (i + 1)
  std::optional<Leap> leap{};          // with threshold
  std::optional<CreditRule> credit{};  // adds what earlier passes of the block proposed
  std::optional<int> drafts{};  // canvases that a pass evaluates, the present one included: the
                                // later ones are what the next steps may lead to (FreeDave, arXiv
                                // 2510.00294); the tokens are those without
  bool paced = false;  // with threshold: no more than an even schedule plus what earlier steps left
                       // (Fast-dLLM on Dream without blocks)
  std::vector<int> order{};  // algorithm random: positions in the order in which they are decided;
                             // empty: drawn from the seed
  bool greedy = false;  // the most likely token after temperature and filters, instead of a draw
  std::optional<Editing> editing{};
  bool remask = false;  // P2: every step decides anew which positions are left masked (Open-dCoder)
  std::vector<TokenId> suppressed{};  // cannot be chosen
  std::vector<TokenId> deferred{};    // carry no confidence when chosen
  bool suppress_eos = false;          // end tokens cannot be chosen (LLaDA: logits_eos_inf)
  bool defer_eos = false;   // end tokens carry no confidence (LLaDA: confidence_eos_eot_inf)
  bool attach_eos = false;  // they carry none before the text is decided up to them or has an end
                            // already (ES-dLLM)
  uint64_t seed = 0;

  /// Decisions depend on confidences, so the number of steps is open.
  bool dynamic() const { return threshold || factor; }
};

/// Throws Error naming the option when a value or a combination makes no sense.
void check_options(const SamplerOptions& options);

/// A masked position and what the model thinks of it.
struct Candidate {
  int position = 0;
  TokenStats stats;
};

/// A position that got its token.
struct Decision {
  int position = 0;
  TokenId token = 0;
  float confidence = 0;  // by the algorithm's measure
};

/// How much one step may decide.
struct Budget {
  int count = 0;           // tokens due; for the dynamic rules the upper bound
  double probability = 0;  // of each position, for `origin`
};

/// The query for the logits of step `step`. `eos_ids`: tokens that end a text.
TokenQuery token_query(const SamplerOptions& options, TokenId mask_id,
                       std::span<const TokenId> eos_ids, int step);

/// The statistic that ranks positions where nothing else matters: no noise, no filter, no rule but
/// the schedule's count, ties to the lower position. None otherwise.
std::optional<Surety> plain_surety(const SamplerOptions& options);

/// The confidence of one candidate by the measure of the algorithm.
float confidence(const SamplerOptions& options, const Candidate& candidate);

/// Of candidates that already have `tokens`: those that a surer one replaces, by Editing.
std::vector<Decision> find_edits(const SamplerOptions& options,
                                 std::span<const Candidate> candidates,
                                 std::span<const TokenId> tokens);

/// P2: of all free positions, `candidates`, the `masked` least sure ones get `mask_id`; the others
/// get the token that is proposed, unless they have one already. Returns what changes.
std::vector<Decision> remask(const SamplerOptions& options, std::span<const Candidate> candidates,
                             std::span<const TokenId> tokens, int masked, TokenId mask_id);

/// `positions` in the order in which algorithm random decides them, which is known beforehand.
std::vector<int> random_order(const SamplerOptions& options, std::vector<int> positions);

/// Picks from `candidates` (ascending positions); the result ascends too. Ties go to the lower
/// position. With a dynamic rule at least one candidate is decided unless the budget is zero.
std::vector<Decision> decide(const SamplerOptions& options, std::span<const Candidate> candidates,
                             const Budget& budget, int step);

}  // namespace unmask
