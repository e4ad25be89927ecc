#include "model/layer_rows.h"

#include <utility>

namespace unmask {

namespace {

std::span<const int> part_of(const std::vector<int>& list, Range range) {
  return std::span(list).subspan(static_cast<size_t>(range.begin),
                                 static_cast<size_t>(range.size()));
}

}  // namespace

std::span<const int> LayerRows::positions_of(size_t sequence) const {
  return part_of(positions, parts[sequence].keys);
}

std::span<const int> LayerRows::query_positions_of(size_t sequence) const {
  return part_of(query_positions, parts[sequence].queries);
}

PassRows::PassRows(std::span<const SequencePass> batch) : all_queries(false) {
  std::vector<int> list;
  for (const SequencePass& s : batch) {
    const auto first = static_cast<int>(all.positions.size());
    const Range keys{first, first + s.plan.rows.size()};
    const auto first_wanted = static_cast<int>(list.size());
    all.positions.insert(all.positions.end(), s.plan.rows.begin(), s.plan.rows.end());
    for (const int i : s.wanted) {
      list.push_back(first + i);
      pruned.query_positions.push_back(s.plan.rows[i]);
    }
    all.parts.push_back({keys, keys});
    pruned.parts.push_back({keys, {first_wanted, static_cast<int>(list.size())}});
    all_queries = all_queries || s.plan.all_queries;
  }
  all.query_positions = pruned.positions = all.positions;
  wanted = Rows(std::move(list));
}

PartialRows::PartialRows(std::span<const SequencePass> batch, const LayerRows& all,
                         std::span<const LayerPlan> plans) {
  std::vector<int> list;
  for (size_t i = 0; i < plans.size(); ++i) {
    const Range own = all.parts[i].keys;
    const auto first = static_cast<int>(list.size());
    for (const int r : is_partial(plans[i]) ? plans[i].rows : Rows(Range{0, own.size()})) {
      list.push_back(own.begin + r);
      rows.positions.push_back(batch[i].plan.rows[r]);
    }
    const Range part{first, static_cast<int>(list.size())};
    rows.parts.push_back({part, part});
  }
  rows.query_positions = rows.positions;
  in_batch = Rows(std::move(list));
}

}  // namespace unmask
