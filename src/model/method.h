// How acceleration methods plug into the denoising loop and the layer loop.
//
// A method answers four questions, from coarse to fine, for ONE sequence:
//   plan_step   which positions go through the network in this step?
//   plan_layer  which of them does a layer compute, and which keep their last output?
//   attend      which keys do the queries of a layer see?
//   cut         which of them go on to the next layer, where the step's plan wants fewer?
// The defaults together are the vanilla model. The model asks these and knows no method by name; a
// method sees neither weights nor other sequences. The canvas may have become longer, at its end,
// whenever a block begins. docs/architecture.md explains the words.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "io/model_config.h"
#include "kernels/backend.h"
#include "model/kv_store.h"

namespace unmask {

/// Where the denoising loop stands, for one sequence.
struct Step {
  int index = 0;           // since the generation began
  int total = 0;           // planned for the present canvas; at most, where the sampler is dynamic
  int in_block = 0;        // since the current block began
  std::optional<int> due;  // tokens that this step has to decide, where that is known beforehand
  Range block;             // positions being denoised
  int prompt_length = 0;   // positions before the generated part
  std::span<const TokenId> tokens;
  TokenId mask_id = 0;
  std::span<const int> last_decided;  // positions that the previous step decided
  std::span<const int> scheduled;     // positions that this step decides, in their order, where an
                                      // order is drawn beforehand (algorithm random)
  std::span<const float> confidence{};  // by position: probability of what was chosen for a mask
                                        // when its logits were read last; 0: not yet

  int length() const { return static_cast<int>(tokens.size()); }
  Range all() const { return {0, length()}; }
  bool masked(int position) const { return tokens[static_cast<size_t>(position)] == mask_id; }
};

/// A pass goes on with fewer rows after a layer.
struct RowCut {
  int layer;  // not the last one
  int rows;   // that go on
};

struct StepPlan {
  Rows rows;        // positions to compute, the row order of this step's tensors; none: the step
                    // passes without a forward pass
  Range decides{};  // positions that the step decides, all of them and no other; empty: the
                    // schedule chooses among all positions before the block's end
  Range queries{};  // positions whose queries attend() reads, in the last layer too
  /// The later steps of the block compute the same rows and attend to the same slots, whatever is
  /// decided until then, and nothing of them comes to the host.
  bool steady = false;
  double threshold_scale = 1;  // of the sampler's threshold, where it has one
  /// A pass before the step: nothing is decided, and the same step is planned again.
  bool prepares = false;
  /// What the pass computes follows from the canvas and from slots that it does not write, and the
  /// next one of the block writes the same: it may be computed for several canvases, one behind the
  /// other (SamplerOptions::drafts).
  bool drafts = false;
  /// Positions that may be decided, ascending; none: all that have a row.
  std::optional<Rows> candidates{};
  /// By ascending layer; Method::cut() says which rows go on. A position without a row at the end
  /// is not decided in this step.
  std::vector<RowCut> cuts{};

  /// Rows that a layer computes, mean of all layers, rounded up.
  int mean_rows(int n_layers) const {
    int64_t sum = 0;
    int left = rows.size();
    int first = 0;
    for (const RowCut& cut : cuts) {
      sum += int64_t{left} * (cut.layer + 1 - first);
      first = cut.layer + 1;
      left = cut.rows;
    }
    sum += int64_t{left} * (n_layers - first);
    return static_cast<int>((sum + n_layers - 1) / n_layers);
  }
};

/// One layer of one step, before anything of it is computed.
struct LayerScope {
  int layer;
  const Step& step;
  Backend& backend;
  KvStore& store;
  int dim;  // columns of a sublayer's output
  /// Value vectors of some of the step's rows; valid until the next call.
  const std::function<Tensor(const Rows& rows)>& project_values;
};

/// Which rows a layer computes, as indices into the step's rows. The other rows take the remembered
/// outputs of the two sublayers; the outputs of the computed rows replace theirs.
struct LayerPlan {
  Rows rows{};
  Tensor attn_out{};  // [step rows, dim]; null: nothing is remembered and every row is computed
  Tensor ffn_out{};   // the same of the feed-forward
};

/// One layer of one step, after the planned rows have their keys, rotated, and values.
struct AttendScope {
  int layer;
  const Step& step;
  Backend& backend;
  KvStore& store;  // of this sequence and layer; kept between steps
  const HeadShape& shape;
  Visibility visibility{};               // of this sequence
  std::span<const int> positions;        // of the rows of k and v
  std::span<const int> query_positions;  // of the rows of q: in the last layer those that are read
                                         // and StepPlan::queries only
  Tensor q;                              // [query rows, n_heads * head_dim]
  Tensor k;                              // [rows, n_kv_heads * head_dim]
  Tensor v;
};

/// After a layer with a cut.
struct CutScope {
  int layer;
  int keep;  // rows that go on
  const Step& step;
  Backend& backend;
  std::span<const int> positions;  // of the rows
  Tensor hidden;                   // [rows, dim], float32, the residual stream after the layer
};

/// What the fresh queries of a layer look at, and what the method wants to learn on the way.
struct Attention {
  KvView kv;
  /// Of a block-causal model: positions before the block that have no slot. Without any, slots are
  /// positions.
  int left_out = 0;
  const BlockPattern* pattern = nullptr;  // null: everything in kv; lives until the layer is done
  BlockImportance* importance = nullptr;  // filled when not null; needs all queries
};

/// How far the window of a sliding block reaches from the first mask on (DSB, arXiv 2602.05992).
enum class Sliding : uint8_t {
  greedy,   // it holds a block of masks
  constant  // the same, but no more positions than a block has
};

/// What a method may know when it is created.
struct MethodContext {
  const ModelConfig& config;
  uint64_t seed;  // of the request, for methods that choose at random
};

class Method {
 public:
  Method() = default;
  virtual ~Method() = default;
  Method(const Method&) = delete;
  Method& operator=(const Method&) = delete;

  virtual std::string_view name() const = 0;
  /// Whether the method works on models of this kind. Most assume that every position sees all.
  virtual bool supports(const Visibility& visibility) const {
    return !visibility.is_block_causal();
  }
  /// Steps that a block of more than one token takes at least, whatever a step may decide.
  virtual int fewest_steps() const { return 1; }
  /// True when plan_step() cannot do without Step::scheduled.
  virtual bool needs_order() const { return false; }
  /// True when a finished block with an end token ends the generation, whatever the request says.
  virtual bool stops_after_end() const { return false; }
  /// How the block moves with every step, where it does: Step::block is the window then, from the
  /// first mask on, and Step::in_block counts from the last step before which a block of tokens was
  /// decided. None: a block stands until it is done.
  virtual std::optional<Sliding> slides() const { return std::nullopt; }
  /// Whether positions may move between steps: nothing is kept that a later step reads.
  virtual bool allows_moves() const { return false; }
  /// Whether a step leaves masks of the block out that another method would let it decide
  /// (StepPlan::candidates, StepPlan::cuts).
  virtual bool leaves_masks_out() const { return false; }
  /// Whether some of its passes may be computed for several canvases (StepPlan::drafts).
  virtual bool takes_drafts() const { return false; }
  /// Positions from the first on whose stored keys and values never change again and lie in the
  /// slots of their numbers: another generation that begins with their tokens may begin with them.
  /// None: the method keeps nothing of this kind.
  virtual std::optional<int> reusable() const { return std::nullopt; }
  /// In blocks of how many positions that is so; 0: in those of the model.
  virtual int reusable_block() const { return 0; }
  /// Before the first step: the stores hold such keys and values of the first `positions`.
  virtual void resume(int /*positions*/) {
    throw LogicError("a method without reusable positions cannot resume");
  }
  /// All rows, or none in a step that has nothing to decide.
  virtual StepPlan plan_step(const Step& step) {
    return {.rows = step.due == 0 ? Rows() : Rows(step.all())};
  }
  virtual LayerPlan plan_layer(LayerScope& /*scope*/) { return {}; }
  virtual Attention attend(AttendScope& scope) { return {{scope.k, scope.v}}; }
  /// Called after the attention of a layer in which attend() asked for importance.
  virtual void attended([[maybe_unused]] int layer, [[maybe_unused]] BlockImportance& importance) {}
  /// Of the rows of a planned cut, scope.keep that go on to the next layer.
  virtual Rows cut(CutScope& /*scope*/) {
    throw LogicError("a method that plans to cut rows says which");
  }
  /// Bytes of a backend's memory that the method holds between steps, stores aside.
  virtual size_t state_bytes() const { return 0; }
  /// Positions behind the slots of scope.store in one key head, after attend(); for probes. None:
  /// nothing is kept that a later step reads, or the method does not say.
  virtual std::vector<int> slot_positions(const AttendScope& /*scope*/, int /*kv_head*/) const {
    return {};
  }
};

}  // namespace unmask
