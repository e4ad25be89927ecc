// The rows of a forward pass: which sequence they belong to, and where they lie in the tensors of
// the whole batch.
#pragma once

#include <span>
#include <vector>

#include "model/method.h"

namespace unmask {

/// One sequence for the length of one forward pass.
struct SequencePass {
  Step step;
  StepPlan plan;
  Method* method;
  std::vector<KvStore>* stores;  // one a layer
  Rows wanted;                   // indices into plan.rows whose hidden state is needed
  StepSeries* series = nullptr;  // that knows the tokens of the rows; null: step.tokens
  bool follows = false;          // cuts the rows that the pass before it cuts (guidance)
  bool draft = false;            // attends after the pass before it, whose slots it writes anew
};

/// The rows that one layer computes, sequence after sequence.
struct LayerRows {
  /// The rows of one sequence.
  struct Part {
    Range keys;     // rows of k and v
    Range queries;  // rows of q
  };

  std::vector<Part> parts;
  std::vector<int> positions;        // of the rows of k and v
  std::vector<int> query_positions;  // of the rows of q

  std::span<const int> positions_of(size_t sequence) const;
  std::span<const int> query_positions_of(size_t sequence) const;
};

/// The rows of a forward pass.
struct PassRows {
  explicit PassRows(std::span<const SequencePass> batch);

  /// Whether the last layer computes some rows in part.
  bool prunes() const { return wanted.size() < static_cast<int>(all.positions.size()); }

  LayerRows all;          // every row has a query
  LayerRows pruned;       // only the wanted rows have one, and those that a method reads
  Rows wanted;            // in rows of the batch
  Rows asking;            // those that have a query in the last layer
  Rows wanted_of_asking;  // the wanted rows, among these
};

/// True when the layer computes some rows only.
inline bool is_partial(const LayerPlan& plan) { return bool{plan.attn_out}; }

/// Sequences side by side in a batch of which a layer computes every row, or some rows only. Apart,
/// so that neither kind costs the other memory, savings or another rounding.
struct RowGroup {
  Range sequences;
  bool partial;
  Range in_batch;  // its rows
  Range picked;    // its wanted rows, among those of the batch
  PassRows rows;   // counted from its own first
};

/// The rows of each sequence in a tensor of the whole batch.
std::vector<Range> row_ranges(std::span<const SequencePass> batch);
/// The same of the rows whose hidden state is needed.
std::vector<Range> wanted_ranges(std::span<const SequencePass> batch);
/// Whether a plan cuts rows after this layer.
bool cuts_after(int layer, std::span<const SequencePass> batch);
/// The groups of a layer with these plans, in order.
std::vector<RowGroup> group_rows(std::span<const SequencePass> batch,
                                 std::span<const LayerPlan> plans);
/// True when `groups` are those of these plans.
bool fits(std::span<const RowGroup> groups, std::span<const LayerPlan> plans);

/// The rows that a layer computes by the plans of its methods.
struct PartialRows {
  PartialRows(std::span<const SequencePass> batch, const LayerRows& all,
              std::span<const LayerPlan> plans);

  LayerRows rows;  // every row has a query
  Rows in_batch;   // the same in rows of the batch
};

}  // namespace unmask
