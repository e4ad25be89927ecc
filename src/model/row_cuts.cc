// Passes that go on with fewer rows after a layer: what is left of the batch is a batch of its own.
#include <algorithm>

#include "model/transformer.h"

namespace unmask {

namespace {

/// What is left of a sequence's pass when `kept` of its rows go on.
void keep(SequencePass& pass, const Rows& kept) {
  std::vector<int> positions;
  std::vector<int> wanted;
  auto next = pass.wanted.begin();
  for (int i = 0; i < kept.size(); ++i) {
    positions.push_back(pass.plan.rows[kept[i]]);
    while (next != pass.wanted.end() && *next < kept[i]) ++next;
    // Two positions may be read from one row.
    for (; next != pass.wanted.end() && *next == kept[i]; ++next) wanted.push_back(i);
  }
  pass.plan.rows = Rows(std::move(positions));
  pass.wanted = Rows(std::move(wanted));
}

}  // namespace

Tensor Transformer::cut_rows(int layer, std::span<SequencePass> batch, std::span<const Range> rows,
                             Tensor x) {
  UNMASK_CHECK(layer + 1 < config_.n_layers, "rows are cut before the last layer");
  std::vector<int> left;  // of the rows of x
  Rows kept;              // of a sequence
  for (size_t i = 0; i < batch.size(); ++i) {
    SequencePass& pass = batch[i];
    const auto cut = std::ranges::find(pass.plan.cuts, layer, &RowCut::layer);
    if (cut == pass.plan.cuts.end()) {
      kept = Rows(Range{0, rows[i].size()});
    } else if (!pass.follows) {
      CutScope scope{.layer = layer,
                     .keep = cut->rows,
                     .step = pass.step,
                     .backend = backend_,
                     .positions = {pass.plan.rows.begin(), pass.plan.rows.end()},
                     .hidden = x.slice(rows[i])};
      kept = pass.method->cut(scope);
      UNMASK_CHECK(kept.size() == cut->rows, "a cut leaves the rows that were planned");
    }
    for (const int r : kept) left.push_back(rows[i].begin + r);
    keep(pass, kept);
  }
  const Tensor rest = x.slice({0, static_cast<int>(left.size())});
  if (rest.rows == x.rows) return x;
  const Tensor moved = memory_.fit(Workspace::kept, rest.rows, config_.dim, DType::f32);
  backend_.gather(x, Rows(std::move(left)), moved);
  backend_.gather(moved, Rows(Range{0, rest.rows}), rest);
  return rest;
}

}  // namespace unmask
