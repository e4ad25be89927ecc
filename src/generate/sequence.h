// The state of one request while it is being denoised.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "generate/constrained_row.h"
#include "generate/draft.h"
#include "generate/request.h"
#include "methods/registry.h"
#include "model/transformer.h"
#include "sampling/schedule.h"

namespace unmask {

class PrefixPool;

class Sequence {
 public:
  /// `config` outlives the sequence.
  Sequence(Request request, const ModelConfig& config);
  Sequence(const Sequence&) = delete;  // steps refer to its tokens
  Sequence& operator=(const Sequence&) = delete;

  bool done() const { return done_; }
  const Request& request() const { return request_; }
  bool guided() const { return request_.cfg_scale > 0; }

  /// Begins with what the pool knows of the canvas, where the method can, and returns its
  /// positions. Before the first step.
  int resume(PrefixPool& pool, Backend& backend);
  /// Lets the pool keep what will not change any more.
  void keep(PrefixPool& pool, Backend& backend);

  /// Where the loop stands; valid until the next apply().
  Step step() const;
  /// The slice of the next pass with the rows of the candidates in `wanted`; no rows when the
  /// method has nothing to compute. A plan that prepares is followed by no apply(). Throws
  /// LogicError when a candidate's row is not planned.
  SequencePass plan();
  /// The same pass with the prompt masked, for guidance.
  SequencePass plan_unconditional();
  /// Passes of the canvases that the steps from the planned one on lead to if each takes what the
  /// last pass proposed, to be computed behind the planned one.
  std::vector<Draft> draft(const SequencePass& planned) const;
  /// Whether the planned pass is that of a draft.
  bool is_drafted(const Draft& draft, const SequencePass& planned) const;
  /// Positions that may be decided in the planned step, ascending.
  const std::vector<int>& candidates() const { return candidates_; }
  /// The position of each wanted row: the candidates, and behind them those of the canvas's end
  /// that tell whether it is long enough.
  const std::vector<int>& read_positions() const { return read_; }
  TokenQuery query() const;
  /// Tells of a pass whose rows were cut on the way: positions without a row are not read.
  void read_only(const Rows& rows);
  /// The planned step and those after it as a series, where what they decide follows from their
  /// logits alone, `most_steps` at most; none where there is no second such step.
  std::optional<SeriesPlan> plan_series(const StepPlan& plan, int most_steps) const;

  /// Decides tokens from the statistics of the positions that were read and moves to the next step.
  /// With a constraint `rows` says more about the candidates; without one it is empty.
  void apply(std::span<const TokenStats> stats, std::span<const ConstrainedRow> rows);
  /// Takes over what was decided elsewhere, ascending, and moves to the next step.
  void apply(std::vector<Decision> decided);
  void cancel();

  const std::vector<TokenId>& tokens() const { return tokens_; }
  TokenId mask_id() const { return config_.mask_id; }
  /// Steps that the generation can take, growth included: with a threshold or a factor, at least
  /// one token each.
  int most_steps() const { return most_steps_; }
  /// Bytes of what is kept between steps.
  size_t state_bytes() const;
  const std::vector<Decision>& decided() const { return decided_; }
  int step_index() const { return index_; }
  int masks_left() const;
  /// Position of the first end token of the generated part whose predecessors are all decided.
  std::optional<int> settled_end() const;
  /// Positions from the prompt's end on that no later step changes.
  int settled() const;
  /// Whether the last step moved positions, see HoleGrowth.
  bool moved() const { return moved_; }
  bool stopped_early() const { return stopped_early_; }
  bool cancelled() const { return cancelled_; }
  /// Whether the constraint had to turn away from what the model preferred so that the text closes.
  bool hurried() const { return hurried_; }

 private:
  struct Twin {  // the unconditional sequence of guidance
    std::vector<TokenId> tokens;
    std::unique_ptr<Method> method;
    std::vector<KvStore> stores;
  };

  /// The blocks in which the method's positions are reusable.
  Visibility reusable_blocks() const;
  /// The block that begins at `begin`: the last one may be shorter.
  Range block_at(int begin) const;
  /// A block's share of the steps, at least one.
  int steps_in(Range block) const;
  /// Steps of all blocks of a canvas of `end` positions.
  int count_steps(int end) const;
  /// Appends the masks of a further block; false when the text has ended or the canvas is at its
  /// largest.
  bool grow();
  /// Whether a step reads the end of the canvas, to see if a block is to follow.
  bool looks_ahead() const;
  /// What the model expects there: see Request::end_in_sight.
  void measure_end(std::span<const TokenStats> stats);
  int masks_in(Range range) const;
  SamplerOptions sampler() const;
  /// Whether the request leaves the token of a position to the model.
  bool is_free(int position) const;
  bool masked(int position) const {
    return tokens_[static_cast<size_t>(position)] == config_.mask_id;
  }
  /// Expansions of holes that may still follow.
  int room_to_grow() const;
  /// Whether the block is left after the step that was just applied.
  bool block_done();
  /// Whether an end token ends the generation now.
  bool stops(bool block_done) const;
  /// The window of a sliding block: from the first mask on.
  Range window() const;
  /// Moves it on after a step.
  void slide();
  void begin_block();
  void begin_step();
  void finish_step();
  /// The planned row whose logits decide `position`, as an index into plan.rows.
  std::optional<int> deciding_row(const Rows& rows, int position) const;
  /// Gives the candidates of the block the tokens that the constraint's search finds. Those that
  /// had no other choice are decided, whatever the schedule says.
  std::vector<Decision> follow_witness(std::span<Candidate> candidates,
                                       std::span<const ConstrainedRow> rows);
  /// Takes the confidence of end tokens that stand apart from the text
  /// (SamplerOptions::attach_eos).
  void hold_ends(std::span<Candidate> candidates) const;
  bool ends(TokenId token) const;
  /// What a step decides, by the sampler's rules.
  std::vector<Decision> choose(std::span<const Candidate> candidates, const Budget& budget);
  void find_candidates(const StepPlan& plan);
  /// Adds to the candidates what is read of the canvas's end.
  void find_read(const StepPlan& plan);
  Rows rows_of(std::span<const int> positions, const StepPlan& plan) const;

  const Request request_;
  const ModelConfig& config_;
  int planned_steps_ = 0;
  int most_steps_ = 0;
  std::vector<TokenId> tokens_;
  std::unique_ptr<Method> method_;
  std::vector<KvStore> stores_;
  std::optional<Twin> twin_;
  std::optional<Witness> witness_;  // of the constraint

  Range block_;
  std::optional<Schedule> schedule_;
  int index_ = 0;
  int in_block_ = 0;
  int decided_since_all_ = 0;  // of a sliding block: tokens since in_block_ was 0
  bool had_masks_ = true;      // the block, before the step
  int edited_ = 0;             // tokens that the step replaced
  int rounds_ = 0;             // of editing a block without masks
  int expanded_ = 0;           // expansions of holes
  bool moved_ = false;
  std::optional<int> due_;           // as in Step
  std::vector<int> scheduled_;       // as in Step
  std::vector<int> last_decided_;    // as in Step
  bool plan_decides_ = false;        // the plan names what is decided
  double threshold_scale_ = 1;       // as in StepPlan
  std::vector<float> confidence_;    // as in Step
  std::vector<Candidate> proposed_;  // by the block's last pass, but for what was decided
  std::vector<int> candidates_;
  std::vector<int> read_;    // candidates_, then positions of the canvas's last block
  bool looked_ = false;      // at those, in this block
  bool end_unseen_ = false;  // the canvas grows when the next block begins
  std::vector<Decision> decided_;
  int pooled_ = 0;  // positions that a pool knows
  bool done_ = false;
  bool stopped_early_ = false;
  bool cancelled_ = false;
  bool hurried_ = false;
};

}  // namespace unmask
